/*
 * One other shard of this node: one connection, shared by all groups the two
 * have in common.  The lower slot dials; until the link is up, and while the other
 * side reads too slowly, messages wait in its backlog, each group's for itself.
 */
#ifndef SHARDD_LINK_H
#define SHARDD_LINK_H

#include <stdint.h>

#include "proto/gossip.h"

struct link;
struct worker;

/* Listen at w->link_path; 0 or -1 with errno. */
int	 link_listen(struct worker *w);
void	 link_shutdown(struct worker *w);	/* all links, and the listener */
/* The link to that incarnation, made if need be.  NULL with errno ENOMEM. */
struct link *link_get(struct worker *w, uint32_t slot, uint64_t incarnation,
	    const char *path);
struct link *link_find(struct worker *w, uint32_t slot, uint64_t incarnation);
/*
 * Send m, whose group is that of our replica m->from (0: none), or let it wait.
 * Flushed at the end of the turn.  0, or -1 with errno ENOBUFS (it does not fit) or
 * EPIPE (the link was given up); then neighbours_drop() has said what stands in its
 * place.
 */
int	 link_send(struct link *l, const struct gossip *m);
/* Is what waits for that replica's group beyond its mark? */
int	 link_is_over(const struct link *l, uint64_t replica);
/* Does something still wait for a link that is up? */
int	 link_any_waits(const struct worker *w);
int	 link_is_up(const struct link *l);
struct worker *link_worker(const struct link *l);
uint32_t link_slot(const struct link *l);
uint64_t link_incarnation(const struct link *l);
/* The gateway says that this shard is dead: close and forget. */
void	 link_dead(struct worker *w, uint32_t slot, uint64_t incarnation);
/* For each link: ASKME and the like. */
void	 link_each(struct worker *w, void (*cb)(struct link *, void *), void *arg);
/* Has the other side said "ask me always"? */
int	 link_askme(const struct link *l);
void	 link_set_askme(struct link *l, int on);

#endif
