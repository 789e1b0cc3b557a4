"""Hook specifications, the registry of what is installed, the selection syntax, and parameter
schemas.
"""
