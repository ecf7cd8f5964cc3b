"""The setting, the permitted edges, the search, and the certificate of what is proved."""
