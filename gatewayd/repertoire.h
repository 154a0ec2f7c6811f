/* A repertoire is the applications that a worker says it has. */
#ifndef GATEWAYD_REPERTOIRE_H
#define GATEWAYD_REPERTOIRE_H

#define REPERTOIRE_MAX	2048		/* bytes */

struct repertoire {
	char	 text[REPERTOIRE_MAX];	/* names, divided by blanks */
};

/* Run the program with --apps, for 5 s at most.  0, or -1: it does not say, as one
 * that is of an older version, or not linked with libkennel. */
int	 repertoire_ask(struct repertoire *r, const char *worker);
int	 repertoire_has(const struct repertoire *r, const char *app);

#endif
