"""Models on a Ray cluster: their deployments there, and the engines that stand for them here."""
