/*
 * What is said to a replica while connections are expected there: kept for them, by
 * origin and number, until they have come.  Each of them gets what stands behind its
 * own marks, and nothing twice.
 */
#ifndef SHARDD_SHELF_H
#define SHARDD_SHELF_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/list.h"
#include "proto/capsule.h"
#include "proto/gossip.h"

struct payload;

/* An origin like replicas: the group's state.  Its numbers are positions. */
#define SHELF_NEWS	0

#define SHELF_ITEMS	4096		/* kept at most; beyond, all is given up */
#define SHELF_BYTES	(4 << 20)	/* of them */

struct shelf {
	struct list	 items;		/* struct shelved, oldest first */
	struct list	 users;		/* struct shelf_user, likewise */
	uint64_t	 serial;	/* of the last item */
	size_t		 n, bytes;
};

/* Who is expected, from one moment on; embedded in what expects it. */
struct shelf_user {
	struct list	 at;		/* shelf->users */
	uint64_t	 number;	/* no other has it; later ones have higher ones */
	uint64_t	 serial;	/* the items behind this one are for it */
	int		 spoiled;	/* something is missing */
};

/* One thing that was said. */
struct shelf_said {
	uint64_t	 origin, number;
	enum gossip_type type;		/* CAST, PUBLISH, WHISPER, TELL */
	struct slice	 uid;		/* WHISPER's; CAST, PUBLISH: but these; TELL's
					   head */
	int		 but;
	struct slice	 topics;
	struct payload	*p;
};

struct shelf *shelf_new(void);		/* NULL without memory */
/* Nobody is expected. */
void	 shelf_free(struct shelf *s);
/* u gets what is said from now on. */
void	 shelf_join(struct shelf *s, struct shelf_user *u);
/* u has come, or does not.  Returns whether anybody is left. */
int	 shelf_leave(struct shelf *s, struct shelf_user *u);
/* Keep it; without room or memory, all who are expected have lost something. */
void	 shelf_put(struct shelf *s, const struct shelf_said *said);
/* The same of what the applications of all were told; data is copied. */
void	 shelf_tell(struct shelf *s, uint64_t origin, uint64_t number,
	    struct slice head, struct slice data);
/* The number of who is expected since last, and *oldest since first; 0: nobody is. */
uint64_t shelf_expected(const struct shelf *s, uint64_t *oldest);
/* Something was said, and is not known. */
void	 shelf_spoil(struct shelf *s);
/*
 * What u is to get, oldest first: all whose number is above its origin's mark (none:
 * above 0), that of the news above the position.
 */
void	 shelf_each(const struct shelf *s, const struct shelf_user *u,
	    const struct capsule_mark *marks, size_t nmarks, uint64_t news,
	    void (*cb)(const struct shelf_said *said, void *arg), void *arg);

#endif
