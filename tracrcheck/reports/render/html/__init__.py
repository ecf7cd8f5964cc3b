"""Pages of one file each, to be looked at in a browser: no network, no framework.

`elements` escapes; `tables`, `circuits` and `findings` are the pieces; `skeleton` makes a page of them; and each of the
other modules makes one kind of page.
"""
