/* Verifying is counting the books of the placement afresh, the slow way. */
#ifndef GATEWAYD_VERIFY_H
#define GATEWAYD_VERIFY_H

struct placement;

/* Recount everything and compare: 0 exact, else -1 and a log line.  For tests and
 * `kennelctl status --check`. */
int	 verify_placement(struct placement *p);

#endif
