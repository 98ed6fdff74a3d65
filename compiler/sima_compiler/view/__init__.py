"""What a person is shown, as records, and its plain forms. No Jupyter; reads archives and statistics files only."""
