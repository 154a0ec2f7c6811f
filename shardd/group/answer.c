/* Answers to the neighbours' questions. */
#include <stdlib.h>

#include "common/log.h"
#include "shardd/group/answer.h"
#include "shardd/group/arrears.h"
#include "shardd/peers/link.h"

struct kennel_answer {			/* a neighbour waits for it */
	struct list	 at;
	struct links	*links;
	struct peer_id	 peer;		/* who asked: its link may have ended */
	uint64_t	 ask;
	uint64_t	 replica;	/* ours, which answers */
};

void
answer_say(struct link *l, const struct gossip *m)
{
	switch (m->type == GOSSIP_ANSWER ? arrears_take(l, m) : ARREARS_NONE) {
	case ARREARS_WAITS:
		return;
	case ARREARS_FULL:
		answer_error(l, m->from, m->ask, "overloaded");
		return;
	case ARREARS_NONE:
		break;
	}
	if (link_send(l, m) == -1)
		log_debug("link slot=%u answer lost", link_slot(l));
}

void
answer_done(struct link *l, uint64_t replica, uint64_t ask)
{
	const struct gossip	 m = { .type = GOSSIP_DONE, .from = replica,
				    .ask = ask };

	if (ask != 0)
		answer_say(l, &m);
}

void
answer_error(struct link *l, uint64_t replica, uint64_t ask, const char *text)
{
	const struct gossip	 m = { .type = GOSSIP_ANSWER, .from = replica,
				    .ask = ask, .flags = GOSSIP_F_ERROR,
				    .payload = slice_str(text) };

	answer_say(l, &m);
}

void
answer_absent(struct link *l, const struct gossip *m)
{
	if (gossip_answer(m->type) == GOSSIP_ANSWER)
		answer_error(l, 0, m->ask, "gone");
	else
		answer_done(l, 0, m->ask);
}

struct kennel_answer *
answer_new(struct list *all, struct link *l, uint64_t replica, uint64_t ask)
{
	struct kennel_answer	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	a->links = link_links(l);
	a->peer = *link_peer(l);
	a->ask = ask;
	a->replica = replica;
	list_push(all, &a->at);
	return (a);
}

void
answer_send(struct kennel_answer *a, struct slice data, int is_error)
{
	struct gossip	 m = { .type = GOSSIP_ANSWER, .from = a->replica,
			    .ask = a->ask,
			    .flags = is_error ? GOSSIP_F_ERROR : 0,
			    .payload = data };
	struct link	*l = link_find(a->links, &a->peer);

	if (l != NULL)
		answer_say(l, &m);
	list_remove(&a->at);
	free(a);
}

void
answers_end(struct list *all)
{
	while (!list_empty(all))
		answer_send(list_entry(all->next, struct kennel_answer, at),
		    slice_str("gone"), 1);
}
