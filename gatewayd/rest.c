/* Descriptors that are not touched before a packet is with the kernel. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "gatewayd/rest.h"
#include "gatewayd/shard.h"
#include "proto/capsule.h"
#include "proto/channel.h"

struct rest {
	struct list	 at;
	struct shard	*shard;
	uint64_t	 number;	/* of the packet */
	int		 fd;
	int		 home;		/* it comes home */
	struct capsule	 c;		/* early, peer, via and flags only */
	char		 bytes[];
};

struct rest *
rest_new(const struct capsule *c)
{
	struct rest	*r;
	size_t		 early = c == NULL ? 0 : c->early.len;
	size_t		 peer = c == NULL ? 0 : c->peer.len;
	size_t		 via = c == NULL ? 0 : c->via.len;

	if ((r = malloc(sizeof(*r) + early + peer + via)) == NULL)
		return (NULL);
	memset(&r->c, 0, sizeof(r->c));
	r->home = c != NULL;
	if (c == NULL)
		return (r);
	r->c.flags = c->flags;
	r->c.early = slice_of(r->bytes, early);
	r->c.peer = slice_of(r->bytes + early, peer);
	r->c.via = slice_of(r->bytes + early + peer, via);
	if (early > 0)
		memcpy(r->bytes, c->early.data, early);
	if (peer > 0)
		memcpy(r->bytes + early, c->peer.data, peer);
	if (via > 0)
		memcpy(r->bytes + early + peer, c->via.data, via);
	return (r);
}

void
rest_free(struct rest *r)
{
	free(r);
}

void
rest_put(struct list *rests, struct rest *r, struct shard *s, uint64_t number,
    int fd)
{
	r->shard = s;
	r->number = number;
	r->fd = fd;
	list_push(rests, &r->at);
}

void
rest_wake(struct list *rests, const struct shard *s, int ended,
    void (*home)(const struct capsule *, int, void *), void *arg)
{
	struct list	*l, *tmp;
	struct rest	*r;

	list_each(l, tmp, rests) {
		r = list_entry(l, struct rest, at);
		if (r->shard != s ||
		    (!ended && r->number > control_sent(s->control)))
			continue;
		list_remove(l);
		if (ended || !r->home)
			close(r->fd);
		else
			home(&r->c, r->fd, arg);
		free(r);
	}
}

void
rest_clear(struct list *rests)
{
	struct list	*l, *tmp;
	struct rest	*r;

	list_each(l, tmp, rests) {
		r = list_entry(l, struct rest, at);
		list_remove(l);
		close(r->fd);
		free(r);
	}
}
