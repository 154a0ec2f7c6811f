/* What servers notify each other of: who, for whom, and what, or where that is. */
#ifndef SHARDD_FOREST_ENVELOPE_H
#define SHARDD_FOREST_ENVELOPE_H

#include "common/bytes.h"

/* Slices of the text, empty where something is missing; strings without quotes. */
struct envelope {
	struct slice	 target;	/* empty: all */
	struct slice	 sender;
	struct slice	 message;	/* JSON */
	struct slice	 id;		/* of a message that is in a table */
};

/* 0, or -1: it is none.  Only what is looked at is checked. */
int	 envelope_read(struct envelope *e, struct slice text);

#endif
