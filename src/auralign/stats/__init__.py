"""Preference statistics. Each folder is a family; import from the one that answers the question.

pairs         worths from pair comparisons: Bradley-Terry and its kin
rankings      worths from rankings and best-worst choices
ratings       means of ratings, severity, ordinal models, the analyses of the standards
raters        who to trust: crowd models, groups of raters, response times, quality
agreement     how far raters agree, with each other and with themselves
hypotheses    tests, families of tests, groups of listeners
planning      how many listeners and judgements, which pairs
explain       which attributes drive votes, confounders, factorial designs
studies       whole analyses of a study folder, as the command line prints them

`comparisons` makes arrays of pair judgements, `intervals` the intervals that know clusters.
"""
