"""The commands, a file for each job. They parse, call, and print; they decide nothing."""
