"""Adversarial pull requests, a module for each kind: ``KIND`` names it, ``ATTACKS`` lists them."""
