"""`manage.py load_airfare`: load airfare files into the database."""

from airfare.samples import SAMPLES
from mcpsite.datasets.management.commands import load_data


class Command(load_data.Command):
    help = load_data.Command.help.replace("a data set", "the data set airfare")
    sample_data = SAMPLES
    data_set_name = "airfare"
