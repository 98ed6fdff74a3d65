"""HTML views of a compiled archive: each function takes a View and returns escaped markup."""
