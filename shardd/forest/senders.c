/* Servers that we hear. */
#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "shardd/forest/senders.h"

#define SENDERS_MAX		1000
#define SENDERS_WAITING_MAX	(8 << 20)	/* bytes */

enum sender_is { SENDER_ASKED, SENDER_KIN, SENDER_FOREIGN };

struct sender {
	struct map_node	 by_id;
	struct senders	*all;
	enum sender_is	 is;
	struct list	 waiting;	/* struct sender_said */
	char		 id[SENDERS_ID_MAX + 1];
};

struct sender_said {
	struct list	 at;
	size_t		 len;
	char		 msg[];
};

void
senders_init(struct senders *all, struct kin *kin, senders_cb *cb)
{
	memset(all, 0, sizeof(*all));
	all->kin = kin;
	all->cb = cb;
}

/* Take out the oldest message of a sender; NULL: nothing waits. */
static struct sender_said *
sender_next(struct sender *s)
{
	struct sender_said	*m;

	if (list_empty(&s->waiting))
		return (NULL);
	m = list_entry(s->waiting.next, struct sender_said, at);
	list_remove(&m->at);
	s->all->waiting -= sizeof(*m) + m->len;
	return (m);
}

/* Nothing is known of a sender any more. */
static void
sender_free(struct sender *s)
{
	struct sender_said	*m;

	while ((m = sender_next(s)) != NULL)
		free(m);
	map_remove(&s->all->by_id, &s->by_id);
	free(s);
}

void
senders_clear(struct senders *all)
{
	struct map_node	*n;

	while ((n = map_first(&all->by_id)) != NULL)
		sender_free(container_of(n, struct sender, by_id));
	map_clear(&all->by_id);
}

void
senders_doubt(struct senders *all)
{
	struct map_node	*n, *next;
	struct sender	*s;

	for (n = map_first(&all->by_id); n != NULL; n = next) {
		next = map_next(&all->by_id, n);
		s = container_of(n, struct sender, by_id);
		if (s->is != SENDER_ASKED)
			sender_free(s);
	}
}

/* It is known what a sender is; err: it is not, and what one says is heard. */
static void
sender_known_cb(int is, int err, void *arg)
{
	struct sender		*s = arg;
	struct sender_said	*m;

	s->is = is ? SENDER_KIN : SENDER_FOREIGN;
	while ((m = sender_next(s)) != NULL) {
		if (!is)
			s->all->cb(m->msg, m->len);
		free(m);
	}
	if (err)
		sender_free(s);
}

/* Another sender, or NULL. */
static struct sender *
sender_new(struct senders *all, const char *id, size_t len)
{
	struct sender	*s;

	if (len == 0 || len > SENDERS_ID_MAX)
		return (NULL);
	if (all->by_id.count >= SENDERS_MAX)
		senders_doubt(all);
	if (all->by_id.count >= SENDERS_MAX ||
	    (s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	s->all = all;
	list_init(&s->waiting);
	memcpy(s->id, id, len);
	if (map_insert(&all->by_id, &s->by_id, s->id, len) == 0)
		return (s);
	free(s);
	return (NULL);
}

/* It waits.  0, or -1. */
static int
sender_wait(struct sender *s, const char *msg, size_t len)
{
	struct sender_said	*m;

	if (s->all->waiting > SENDERS_WAITING_MAX ||
	    len > SENDERS_WAITING_MAX - s->all->waiting ||
	    (m = malloc(sizeof(*m) + len)) == NULL)
		return (-1);
	m->len = len;
	memcpy(m->msg, msg, len);
	list_push(&s->waiting, &m->at);
	s->all->waiting += sizeof(*m) + len;
	return (0);
}

int
senders_heard(struct senders *all, const char *id, size_t id_len,
    const char *msg, size_t len)
{
	struct map_node	*n = map_find(&all->by_id, id, id_len);
	struct sender	*s;
	int		 fresh = n == NULL, rv;

	if (!fresh)
		s = container_of(n, struct sender, by_id);
	else if ((s = sender_new(all, id, id_len)) == NULL)
		return (-1);
	if (s->is == SENDER_KIN)
		return (0);
	if (s->is == SENDER_FOREIGN) {
		all->cb(msg, len);
		return (0);
	}
	rv = sender_wait(s, msg, len);
	if (fresh)
		kin_ask(all->kin, s->id, sender_known_cb, s);
	return (rv);
}
