"""Every subgraph of constants becomes a value, and every model one spelling, before anything is read."""
