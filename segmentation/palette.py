"""The colours of the segments."""

# Okabe and Ito's colours and some of Tol's, told apart by the colour-blind too; from the thirteenth on they repeat.
PALETTE = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#332288", "#999933", "#882255", "#44AA99", "#DDCC77", "#7F7F7F"),
)
