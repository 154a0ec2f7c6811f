/* What clients are told without having asked: here, and through neighbours. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/jss_parse.h"
#include "proto/jss_write.h"
#include "shardd/ape/download.h"
#include "shardd/ape/grove.h"
#include "shardd/ape/part.h"
#include "shardd/ape/push.h"
#include "shardd/ape/registry.h"

#define PUSH_MAX	(16 << 20)	/* bytes of what is pushed */
#define PUSH_ASK_MS	10000		/* that neighbours have to answer */

/* What the first byte of a question to neighbours says. */
#define PUSH_HAS	'H'	/* have you that id? */
#define PUSH_IDS	'I'	/* your clients' ids? */

/* What neighbours are told is a text for all but one id, which is the word's head; or,
 * with this before it, for that id alone. */
#define PUSH_TO		'T'
#define PUSH_TO_LEN	(1 + APE_ID)

static struct buf	 push_kept;
/* An id that no client has. */
static const char	 push_nobody[APE_ID + 1] = "-                   ";

/* The name under which anybody who hears a push fetches binary. */
static const char *
push_link(const struct jss *v, void *arg)
{
	const struct part	*p = v->bytes;

	(void)arg;
	return (p == NULL || p->fd == -1 ? NULL : download_add(p->fd, p->size,
	    NULL, NULL));
}

/* The text of a push behind what is in b.  0, or -1 with errno. */
static int
push_write(struct buf *b, const char *type, const struct jss *data)
{
	b->max = b->len + PUSH_MAX;
	buf_adds(b, "{\"type\":");
	jss_write_string(b, type, strlen(type));
	if (data != NULL) {
		buf_add(b, ",", 1);
		jss_write_member(b, "data", data, push_link, NULL);
	}
	buf_add(b, "}", 1);
	if (!b->failed)
		return (0);
	errno = EMSGSIZE;
	return (-1);
}

/* A push to this client, as a text and as what it says; flags: KENNEL_TOLD or 0. */
static int
push_text(struct ape_client *c, const char *type, const struct jss *data,
    struct slice text, int flags)
{
	if (registry_hooks()->onsend != NULL)
		registry_hooks()->onsend(c, type,
		    (const struct ape_value *)data);
	return (kennel_send(c->socket, text.data, text.len, flags));
}

int
push_one(struct ape_client *c, const char *type, const struct jss *data)
{
	struct buf	 b = buf_take(&push_kept);
	int		 rv = -1;

	if (push_write(&b, type, data) == 0)
		rv = push_text(c, type, data, slice_of(b.data, b.len), 0);
	buf_give(&push_kept, &b);
	return (rv);
}

/* To all clients of an id here; neighbours are told the same.  How many there are. */
static size_t
push_id(struct room *room, const char *id, const char *type,
    const struct jss *data, struct slice text)
{
	struct ape_client	*c = room_find(room, id, APE_ID);
	struct list		*e, *tmp;
	size_t			 n = 0;

	if (c == NULL)
		return (0);
	list_each(e, tmp, &c->twins)
		n += push_text(list_entry(e, struct ape_client, twins), type, data,
		    text, KENNEL_TOLD) == 0;
	return (n + (push_text(c, type, data, text, KENNEL_TOLD) == 0));
}

/* To all clients here but those of that id, and that of a socket (NULL: none). */
static void
push_here(struct room *room, const char *but,
    const struct kennel_socket *socket, const char *type,
    const struct jss *data, struct slice text)
{
	struct ape_client	*c;
	struct map_node		*n;

	for (n = map_first(&room->clients); n != NULL;
	    n = map_next(&room->clients, n)) {
		c = container_of(n, struct ape_client, by_id);
		if (memcmp(n->key, but, APE_ID) != 0 &&
		    (socket == NULL || c->socket != socket))
			push_id(room, n->key, type, data, text);
	}
}

/* The id that other servers leave out, too, or NULL. */
static const char *
push_left_out(const struct push_but *but)
{
	const struct ape_client	*c = but->others ?
				    kennel_socket_data(but->socket) : NULL;

	return (but->id != NULL ? but->id : c == NULL ? NULL : c->id);
}

int
push_many(struct room *room, const struct push_but *but, const char *type,
    const struct jss *data)
{
	const char		*id = but->id != NULL ? but->id : push_nobody;
	struct buf		 b = buf_take(&push_kept);
	struct slice		 text;
	int			 rv = -1;

	if (push_write(&b, type, data) == -1)
		goto out;
	text = slice_of(b.data, b.len);
	if (but->id != NULL || registry_hooks()->onsend != NULL) {
		push_here(room, id, but->others ? but->socket : NULL, type,
		    data, text);
		rv = kennel_replica_tell(room->replica, 0, id, APE_ID,
		    text.data, text.len);
		if (rv == 1)		/* a hint to slow down */
			rv = 0;
	} else if (but->socket != NULL)
		rv = kennel_broadcast(but->socket, text.data, text.len,
		    but->others ? KENNEL_OTHERS : KENNEL_SELF, NULL, NULL);
	else
		rv = kennel_replica_broadcast(room->replica, text.data,
		    text.len, 0, NULL, NULL);
	if (rv == 0)
		grove_all(text, push_left_out(but));
out:
	buf_give(&push_kept, &b);
	return (rv);
}

/* ---- to one, wherever ---- */

struct push_sent {
	ape_sent_cb	*sent;
	void		*arg;
	int		 here;		/* somebody here has it */
	struct grove_letter *letter;	/* for other servers, or NULL */
};

/* Has a neighbour reached somebody? */
static void
push_sent_cb(struct kennel_replica *r, const struct kennel_slot *slots,
    size_t n, void *arg)
{
	struct push_sent	*s = arg;
	int			 reached = s->here;

	(void)r;
	for (size_t i = 0; i < n; i++)
		reached |= slots[i].data != NULL && slots[i].len == 1 &&
		    *slots[i].data == '1';
	if (!reached && s->letter != NULL) {
		grove_send(s->letter, s->sent, s->arg);
		free(s);
		return;
	}
	grove_drop(s->letter);
	if (s->sent != NULL)
		s->sent(reached, s->arg);
	free(s);
}

/* To all of that id, wherever: who has it is asked behind what all are told, and whoever
 * has it then has got it.  0, or -1 with errno. */
static int
push_abroad(struct room *room, const char *id, struct slice text,
    struct push_sent *s)
{
	char	 head[PUSH_TO_LEN], ask[1 + APE_ID] = { PUSH_HAS };

	head[0] = PUSH_TO;
	memcpy(head + 1, id, APE_ID);
	memcpy(ask + 1, id, APE_ID);
	if (kennel_replica_tell(room->replica, 0, head, sizeof(head),
	    text.data, text.len) == -1)
		return (-1);
	return (kennel_replica_gossip(room->replica, ask, sizeof(ask),
	    PUSH_ASK_MS, push_sent_cb, s));
}

/* One that is here, and nowhere else, gets it: 1; 0, it is none of these, or is on its
 * way to another process. */
static int
push_alone(struct room *room, const char *id, const char *type,
    const struct jss *data, struct slice text)
{
	struct ape_client	*c = room_find(room, id, APE_ID);

	/* A WebSocket's id is one client's; a stream's twins may be elsewhere. */
	return (c != NULL && !c->stream && push_text(c, type, data, text,
	    0) == 0);
}

int
push_to(struct room *room, const char *id, const char *type,
    const struct jss *data, ape_sent_cb *sent, void *arg)
{
	struct buf		 b = buf_take(&push_kept);
	struct push_sent	*s = NULL;
	struct slice		 text;
	int			 rv = -1;

	if (push_write(&b, type, data) == -1 ||
	    (s = malloc(sizeof(*s))) == NULL)
		goto out;
	text = slice_of(b.data, b.len);
	s->sent = sent;
	s->arg = arg;
	s->letter = NULL;
	if (push_alone(room, id, type, data, text)) {
		s->here = 1;
		push_sent_cb(room->replica, NULL, 0, s);
		s = NULL;
		rv = 0;
		goto out;
	}
	s->here = push_id(room, id, type, data, text) > 0;
	s->letter = s->here ? NULL : grove_write(id, text);
	if ((rv = push_abroad(room, id, text, s)) == 0)
		s = NULL;
out:
	if (s != NULL)
		grove_drop(s->letter);
	free(s);
	buf_give(&push_kept, &b);
	return (rv);
}

/* ---- ids ---- */

struct push_list {
	ape_ids_cb	*cb;
	void		*arg;
	struct buf	 here;		/* ours */
};

/* Append the ids of clients here, APE_ID bytes each. */
static void
push_ids_here(struct room *room, struct buf *b)
{
	struct map_node	*n;

	for (n = map_first(&room->clients); n != NULL;
	    n = map_next(&room->clients, n))
		buf_add(b, n->key, APE_ID);
}

/* Ids in the order of their letters, each once. */
static int
push_compare(const void *a, const void *b)
{
	return (strcmp(*(const char *const *)a, *(const char *const *)b));
}

/* Ids, end to end in b, as a list for the caller. */
static void
push_give(const struct push_list *l, const struct buf *b, size_t missing)
{
	size_t		  n = b->len / APE_ID, kept = 0;
	char		 *texts = malloc(n * (APE_ID + 1) + 1);
	const char	**ids = malloc((n + 1) * sizeof(*ids));

	if (texts == NULL || ids == NULL || b->failed) {
		n = 0;
		missing++;
	}
	for (size_t i = 0; i < n; i++) {
		ids[i] = texts + i * (APE_ID + 1);
		memcpy(texts + i * (APE_ID + 1), b->data + i * APE_ID, APE_ID);
		texts[i * (APE_ID + 1) + APE_ID] = '\0';
	}
	if (n > 0)
		qsort(ids, n, sizeof(*ids), push_compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || strcmp(ids[kept - 1], ids[i]) != 0)
			ids[kept++] = ids[i];
	l->cb(ids, kept, missing, l->arg);
	free(texts);
	free(ids);
}

/* Neighbours have said theirs. */
static void
push_ids_cb(struct kennel_replica *r, const struct kennel_slot *slots,
    size_t n, void *arg)
{
	struct push_list	*l = arg;
	struct buf		 b = l->here;
	size_t			 missing = 0;

	(void)r;
	for (size_t i = 0; i < n; i++) {
		if (slots[i].data != NULL && slots[i].len % APE_ID == 0)
			buf_add(&b, slots[i].data, slots[i].len);
		else
			missing++;
	}
	push_give(l, &b, missing);
	buf_clear(&b);
	free(l);
}

int
push_ids(struct room *room, ape_ids_cb *cb, void *arg)
{
	struct push_list	*l;

	if ((l = malloc(sizeof(*l))) == NULL)
		return (-1);
	l->cb = cb;
	l->arg = arg;
	/* Ours as of now: who has moved away when the others have answered has come to
	 * one of them behind the question. */
	l->here = (struct buf){ 0 };
	push_ids_here(room, &l->here);
	if (kennel_replica_gossip(room->replica, (const char[]){ PUSH_IDS }, 1,
	    PUSH_ASK_MS, push_ids_cb, l) == 0)
		return (0);
	buf_clear(&l->here);
	free(l);
	return (-1);
}

/* ---- other servers ---- */

void
push_foreign(struct room *room, const char *dest, const char *except,
    const char *type, const struct jss *data)
{
	struct buf	 b = buf_take(&push_kept);
	struct slice	 text;

	if (push_write(&b, type, data) == 0) {
		text = slice_of(b.data, b.len);
		if (dest != NULL)
			push_id(room, dest, type, data, text);
		else
			push_here(room, except != NULL ? except : push_nobody,
			    NULL, type, data, text);
	}
	buf_give(&push_kept, &b);
}

/* ---- neighbours ---- */

/* What a text that a neighbour has written says; only the hook wants to know. */
static const struct jss *
push_read(struct jss_pool *pool, struct slice text, const char **type)
{
	const struct jss	*root, *name;
	const char		*why;

	*type = "";
	if (registry_hooks()->onsend == NULL)
		return (NULL);
	root = jss_parse(pool, text.data, text.len, 1, &why);
	if ((name = jss_member(root, "type", 4)) != NULL &&
	    name->kind == JSS_STRING)
		*type = name->text;
	return (jss_member(root, "data", 4));
}

/* One that a word is for gets it; c NULL: all of them. */
static void
push_hear(struct room *room, struct ape_client *c, const struct kennel_word *w)
{
	const char		*id = w->head;
	struct slice		 text = slice_of(w->data, w->len);
	const struct jss	*data;
	struct jss_pool		 pool;
	const char		*type;
	int			 alone = w->head_len == PUSH_TO_LEN &&
				    *w->head == PUSH_TO;

	if (!alone && w->head_len != APE_ID)
		return;
	if (alone)
		id++;
	jss_pool_init(&pool, 0);
	data = push_read(&pool, text, &type);
	if (c != NULL) {
		if ((memcmp(c->id, id, APE_ID) == 0) == alone)
			push_text(c, type, data, text, 0);
	} else if (alone)
		push_id(room, id, type, data, text);
	else
		push_here(room, id, NULL, type, data, text);
	jss_pool_clear(&pool);
}

void
push_told(struct room *room, const struct kennel_word *w)
{
	push_hear(room, NULL, w);
}

void
push_told_one(struct ape_client *c, const struct kennel_word *w)
{
	push_hear(c->room, c, w);
}

void
push_gossip(struct room *room, struct kennel_answer *a, const char *msg,
    size_t len)
{
	struct buf	 b = { 0 };

	if (len == 1 && *msg == PUSH_IDS) {
		push_ids_here(room, &b);
		if (b.failed)
			kennel_answer_error(a, "out of memory");
		else
			kennel_answer(a, b.data, b.len);
		buf_clear(&b);
	} else if (len == 1 + APE_ID && *msg == PUSH_HAS)
		kennel_answer(a, room_find(room, msg + 1, APE_ID) != NULL ? "1" :
		    "0", 1);
	else
		kennel_answer_error(a, "not understood");
}
