"""The network: its layers and their parameters, a forward pass, initial weights, scaling."""
