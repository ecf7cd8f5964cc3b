"""Random programs: recipes as data, how they are drawn, and which are accepted."""
