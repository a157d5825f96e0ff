"""Readers for `Loader` that read nothing."""

import os

import numpy as np


class Patient:
    """A reader whose process stays."""

    def __getitem__(self, task):
        return (np.zeros(1),)


class Suicidal:
    """A reader whose process ends at its second task."""

    def __getitem__(self, task):
        if task == 1:
            os._exit(9)
        return (np.zeros(1),)
