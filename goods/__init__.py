"""The catalogue: what shoppers look at, what is sold, and how stock gets in."""
