"""Softmax over the last axis."""

import torch


def softmax(x):
    """exp(x_j) / Σ_k exp(x_k)"""
    return torch.softmax(x, dim=-1)
