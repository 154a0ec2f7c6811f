/*
 * A forget (kennelctl room rm) removes what a group has kept in Redis.  Refused while the
 * group is open, for its replicas have a copy of it, which would be written again.
 */
#ifndef GATEWAYD_FORGET_H
#define GATEWAYD_FORGET_H

struct control;
struct ctl;
struct forgets;
struct placement;
struct redis;
struct settings;

/* settings and placement are borrowed.  NULL with errno. */
struct forgets *forgets_new(const struct settings *settings,
	    struct placement *placement);
void	 forgets_free(struct forgets *fs);	/* after redis */
/*
 * ask: FORGET.  The answer goes to c, now or later; meanwhile c may not ask again.
 * redis: NULL if there is none.  0, or -1: drop c.
 */
int	 forget_begin(struct forgets *fs, struct control *c,
	    const struct ctl *ask, struct redis *redis);
/* c has ended: nobody is to be told. */
void	 forget_cancel(struct forgets *fs, const struct control *c);

#endif
