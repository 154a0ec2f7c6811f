/* The status is what kennelctl asks for: everything in one JSON object, in pieces. */
#ifndef GATEWAYD_STATUS_H
#define GATEWAYD_STATUS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct balance;
struct buf;
struct check_result;
struct control;
struct json_t;
struct placement;
struct rollcall;
struct roster;
struct settings;
struct succession;
struct totals;
struct upgrade;

/* What there is to tell, all borrowed. */
struct status {
	const struct settings *settings;
	const struct totals *totals;
	struct placement *placement;
	struct roster	*roster;
	const struct quotas *quotas;	/* NULL: not yet */
	const struct upgrade *upgrade;	/* NULL: not yet */
	const struct balance *balance;	/* likewise */
	const struct succession *succession;	/* likewise */
	uint64_t	 started;	/* ms since 1970 */
	int		 leaving, listening;
	const char	*redis_url;
	int		 redis_up;
	const struct rollcall *rollcall;	/* NULL: this node is alone */
	pid_t		 redisd_pid;	/* of a Redis of our own, or 0 */
	size_t		 handshakes, home, handing_over;	/* connections */
};

/* The answer to STATUS_ASK id; check may be NULL.  0, or -1: drop c. */
int	 status_answer(const struct status *st, struct control *c, uint64_t id,
	    const struct check_result *check);
/* The same object as text.  0, or -1: no memory, or too large for out. */
int	 status_write(const struct status *st, struct buf *out);
/* Any other answer, which is taken; NULL: no memory.  0, or -1: drop c. */
int	 status_send(struct control *c, uint64_t id, struct json_t *json);

#endif
