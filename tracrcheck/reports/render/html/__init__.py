"""Pages of one file each, for a browser: jinja2 templates, and a style sheet and a script that are embedded in the page."""
