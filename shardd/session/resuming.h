/*
 * A session goes on here after the process that had it has died: with the connection at
 * rest, its topics, and what its application had given as a checkpoint.  Like one that
 * is opened, it waits for its replica and its entry in the lookup; nothing is read of
 * it until then.
 */
#ifndef SHARDD_RESUMING_H
#define SHARDD_RESUMING_H

struct capsule;
struct conn;
struct kennel_app;
struct replica;
struct sessions;

/* Can app go on with the connection of that record?  NULL, or why not. */
const char *resuming_hinders(const struct kennel_app *app,
	    const struct capsule *cap);
/* The session of a record, for r (NULL: no group), PARKED; fd is taken on success.
 * NULL with errno. */
struct conn *resuming_adopt(struct sessions *s, const struct capsule *cap,
	    const struct kennel_app *app, struct replica *r, int fd);
/* ADOPTED is with the kernel: it is ours. */
void	 resuming_start(struct conn *c);
/* It is not: nothing was touched. */
void	 resuming_drop(struct conn *c);

#endif
