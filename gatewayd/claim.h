/*
 * A node's name in Redis: kennel:node:<name> expires after 30 s and carries the
 * token of the gateway that has the name, so that two gateways never take each
 * other's entries for their own.
 *
 * The token is made at the first start in a state directory, kept there, and
 * bound to the run directory, of which only one gateway can have the lock: the
 * successor of a gateway that was killed has the same one.
 */
#ifndef GATEWAYD_CLAIM_H
#define GATEWAYD_CLAIM_H

struct claim;
struct redis;
struct settings;

/*
 * The token of a state directory that is there, made if need be, and of a run
 * directory: malloc'd, or NULL with errno.
 */
char	*claim_token(const char *state_dir, const char *run_dir);

enum claim_state {
	CLAIM_NONE,		/* Redis has not answered yet */
	CLAIM_HELD,
	CLAIM_TAKEN		/* by another; claim_holder() says by whom */
};

struct claim_ops {
	/* The state is another one now, or stays NONE as Redis does not let us
	 * ask; may not free. */
	void	(*changed)(enum claim_state state, void *arg);
};

/*
 * redis, token and settings are borrowed for the claim's life; id is this
 * process's.  NULL with errno.
 */
struct claim *claim_new(struct redis *redis, const struct settings *settings,
	    const char *token, const char *id, unsigned long long started,
	    const struct claim_ops *ops, void *arg);
/* After redis_free(), which calls back what is outstanding. */
void	 claim_free(struct claim *c);
/* Take the name, or say that we still have it: to be called every few seconds. */
void	 claim_beat(struct claim *c);
enum claim_state claim_state(const struct claim *c);
/*
 * The name is ours, and was when we first asked: all that bears it is, or was,
 * ours, too.  Else there may be shards of somebody who had it before and has
 * lost its gateway only.
 */
int	 claim_heir(const struct claim *c);
/* "gatewayd pid=12 on HOST, listening on ADDRESS" */
const char *claim_holder(const struct claim *c);
/* Give the name back, if it is ours: done comes once, from the loop, unless
 * this returns -1. */
int	 claim_release(struct claim *c, void (*done)(void *arg), void *arg);

#endif
