"""The compiler proper: one file per stage, each one function from one record to the next."""
