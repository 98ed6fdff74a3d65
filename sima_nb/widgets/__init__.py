"""The interactive views as ipywidgets: one file per view, traits and answers only; what they draw is in the bundle."""
