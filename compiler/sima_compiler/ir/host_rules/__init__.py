"""What every host operator demands and gives: the one declaration that all its forms are held to."""
