"""Models that are no classifiers of one picture: any inputs and outputs, proved output by output."""
