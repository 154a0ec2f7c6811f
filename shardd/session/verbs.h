/*
 * The verbs of a socket, which its application calls: send, emit, whisper ...  What
 * it has outstanding are completions, and calls that wait behind a lookup so that
 * nothing overtakes.
 */
#ifndef SHARDD_VERBS_H
#define SHARDD_VERBS_H

#include "common/list.h"
#include "proto/ws_frame.h"
#include "shardd/kennel.h"

struct conn;
struct payload;

enum verb_kind {
	VERB_SEND, VERB_EMIT, VERB_BROADCAST, VERB_PUBLISH, VERB_WHISPER,
	VERB_GOSSIP, VERB_STEP, VERB_CLOSE, VERB_TELL
};

struct verb {				/* a call that was made */
	struct list	 at;
	enum verb_kind	 kind;
	struct payload	*p;		/* a reference; NULL for CLOSE */
	struct payload	*head;		/* SEND's, likewise: what goes before it, or NULL */
	struct slice	 uid;		/* WHISPER's, PUBLISH's topics, TELL's head; in
					   text */
	uint64_t	 neighbour;	/* TELL's; 0: all */
	int		 flags;
	int		 code;		/* CLOSE */
	unsigned	 deadline_ms;	/* GOSSIP */
	kennel_done_cb	*done;
	kennel_gossip_cb *gossip;
	void		*arg;
	char		 text[];	/* uid, or CLOSE's reason */
};

/*
 * Do v now, or after what the socket waits for: 0, or -1 with errno (EPIPE: its
 * outstanding calls are being cancelled, and v would be one).  v and its
 * payload are borrowed.
 */
int	 verbs_call(struct conn *c, const struct verb *v);
/* Tell neighbours (fan_tell()) now, or after what the socket waits for; the same
 * returns.  Nothing is copied that need not wait. */
int	 verbs_tell(struct conn *c, uint64_t neighbour, struct slice head,
	    struct slice data);
/*
 * Close c with code and reason, after what it waits for.  0, or -1 with errno EINVAL
 * (no such code or reason) or EPIPE (not open).
 */
int	 verbs_close(struct conn *c, int code, struct slice reason);
/* Outstanding calls end with ECANCELED; before onclose. */
void	 verbs_cancel(struct conn *c);

#endif
