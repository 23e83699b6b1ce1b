#ifndef PORTAL_TEST_DESCRIPTORS_H
#define PORTAL_TEST_DESCRIPTORS_H

/* Says of what is open now that it may be open when the program ends. */
void descriptors_keep_open(void);

/* How many are open. */
int descriptors_count(void);

#endif
