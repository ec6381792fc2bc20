"""K-means over a grid of K: what a solver returns, the solvers, and the model that is published."""
