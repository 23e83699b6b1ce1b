#ifndef HOST_DOMAIN_DIFF_H
#define HOST_DOMAIN_DIFF_H

/*
 * What changes from one text to another, line by line: removed lines begin with "-", added ones
 * with
 * "+", up to three lines around them with " ", and "@@" stands for what is left out. Empty when the
 * texts are the same. Owned by the caller.
 */
char *diff_lines(const char *before, const char *after);

#endif
