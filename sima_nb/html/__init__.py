"""HTML views of a compiled archive: each function takes facts and returns escaped markup."""
