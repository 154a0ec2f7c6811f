/* Bodies that clients put for their calls. */
#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/list.h"
#include "shardd/ape/abroad.h"
#include "shardd/ape/refuse.h"
#include "shardd/ape/signpost.h"
#include "shardd/ape/upload.h"

#define UPLOAD_WAIT_MS	60000		/* a call for its bodies */
#define UPLOAD_EARLY_MS	10000		/* a body for its call */
#define UPLOAD_TICK_MS	500
#define UPLOADS_MAX	4096		/* of each kind */

/* A body that a call wants. */
struct want {
	struct list	 at;
	uint64_t	 token, until;
	unsigned	 slot;		/* where the call is */
	upload_cb	*cb;		/* NULL: it is another shard's */
	void		*arg;
	char		 query[UPLOAD_NAME_MAX + 1], hash[UPLOAD_NAME_MAX + 1];
	char		 session[APE_ID + 1], client[APE_ID + 1];
	char		 server[SIGNPOST_SERVER + 1];	/* "": it is in this node */
};

/* A body that no call wants yet. */
struct early {
	struct list	 at;
	uint64_t	 until;
	struct kennel_request *q;
	int		 fd;
	upload_again	*again;
	struct asker	 who;
	char		 query[UPLOAD_NAME_MAX + 1], hash[UPLOAD_NAME_MAX + 1];
};

static struct {
	struct list	 wants, earlies;
	size_t		 nwants, nearlies;
	struct kennel_timer *timer;
} upload = { .wants = { &upload.wants, &upload.wants },
    .earlies = { &upload.earlies, &upload.earlies } };

static const char	 upload_unexpected[] =
			    "Upload not expected or unauthorized";

/* Forget a want. */
static void
upload_unwant(struct want *w)
{
	list_remove(&w->at);
	upload.nwants--;
	free(w);
}

/* Forget a body that waited; its descriptor is the caller's. */
static int
upload_forget(struct early *e)
{
	int	 fd = e->fd;

	list_remove(&e->at);
	upload.nearlies--;
	free(e);
	return (fd);
}

/* Those whose time is up. */
static void
upload_tick_cb(void *arg)
{
	uint64_t	 now = kennel_time();
	struct list	*e, *tmp;

	(void)arg;
	list_each(e, tmp, &upload.earlies) {
		struct early	*early = list_entry(e, struct early, at);

		if (early->until > now)
			continue;
		refuse(early->q, 404, upload_unexpected);
		close(upload_forget(early));
	}
	/* What a callback does may end other wants: begin again. */
	for (e = upload.wants.next; e != &upload.wants; ) {
		struct want	*w = list_entry(e, struct want, at);
		upload_cb	*cb = w->cb;
		void		*of = w->arg;

		e = e->next;
		if (w->until > now)
			continue;
		upload_unwant(w);
		if (cb != NULL) {
			cb(-1, of);
			e = upload.wants.next;
		}
	}
	if (upload.nwants + upload.nearlies == 0) {
		kennel_timer_free(upload.timer);
		upload.timer = NULL;
	}
}

/* Something has to end in time. */
static void
upload_watch(void)
{
	if (upload.timer == NULL)
		upload.timer = kennel_timer_new(UPLOAD_TICK_MS, 1,
		    upload_tick_cb, NULL);
}

/* Has this one put a body of that call? */
static int
upload_is(const struct want *w, const struct asker *who,
    const char *query, const char *hash)
{
	if (strcmp(w->query, query) != 0 || strcmp(w->hash, hash) != 0)
		return (0);
	return (strcmp(who->cookie, w->session) == 0 ||
	    strcmp(who->header, w->session) == 0 ||
	    (who->header[0] != '\0' && strcmp(who->header, w->client) == 0));
}

/* A body for another server, until it is known where that is. */
struct far {
	struct kennel_request *q;
	struct asker	 who;
	int		 fd;
};

/* It is known. */
static void
upload_far_cb(const char *server, const char *where, void *arg)
{
	struct far	*f = arg;
	struct stat	 st;

	(void)server;
	if (where == NULL || fstat(f->fd, &st) == -1 || abroad_put(f->q, where,
	    &f->who, f->fd, (uint64_t)st.st_size) == -1)
		refuse(f->q, 502, "The server that expects this file is not "
		    "reached");
	close(f->fd);
	free(f);
}

/* The body fd of q goes to that server. */
static void
upload_send(const char *server, struct kennel_request *q,
    const struct asker *who, int fd)
{
	struct far	*f;

	if ((f = malloc(sizeof(*f))) == NULL) {
		close(fd);
		refuse(q, 503, "out of memory");
		return;
	}
	f->q = q;
	f->who = *who;
	f->fd = fd;
	signpost_where(server, upload_far_cb, f);
}

/* The body fd of q goes to the call that wants it, wherever that is; w ends. */
static void
upload_give(struct want *w, struct kennel_request *q, const struct asker *who,
    int fd)
{
	static const char	 done[] = "{\"success\":true}";
	struct courier_note	 n = { .kind = COURIER_PART,
				    .token = w->token };
	upload_cb		*cb = w->cb;
	void			*arg = w->arg;
	unsigned		 slot = w->slot;
	char			 server[SIGNPOST_SERVER + 1];

	strcpy(server, w->server);
	upload_unwant(w);
	if (*server != '\0') {
		upload_send(server, q, who, fd);
		return;
	}
	kennel_respond(q, 200, "application/json", done, sizeof(done) - 1);
	if (cb != NULL)
		cb(fd, arg);
	else {
		courier_send(slot, &n, fd);
		close(fd);
	}
}

/* Is there a body for w already?  Then w ends. */
static int
upload_match(struct want *w)
{
	struct kennel_request	*q;
	struct asker		 who;
	struct list		*e, *tmp;

	list_each(e, tmp, &upload.earlies) {
		struct early	*early = list_entry(e, struct early, at);

		if (!upload_is(w, &early->who, early->query, early->hash))
			continue;
		q = early->q;
		who = early->who;
		upload_give(w, q, &who, upload_forget(early));
		return (1);
	}
	return (0);
}

/* Another want.  NULL: too many. */
static struct want *
upload_new(const char *query, const char *hash, const char *session,
    const char *client)
{
	struct want	*w;

	if (upload.nwants >= UPLOADS_MAX || strlen(query) > UPLOAD_NAME_MAX ||
	    strlen(hash) > UPLOAD_NAME_MAX || strlen(session) > APE_ID ||
	    strlen(client) > APE_ID || (w = calloc(1, sizeof(*w))) == NULL)
		return (NULL);
	strcpy(w->query, query);
	strcpy(w->hash, hash);
	strcpy(w->session, session);
	strcpy(w->client, client);
	w->until = kennel_time() + UPLOAD_WAIT_MS;
	list_push(&upload.wants, &w->at);
	upload.nwants++;
	upload_watch();
	return (w);
}

/* Tell a neighbour (0: all) what w is. */
static void
upload_tell(struct kennel_replica *r, uint64_t neighbour, const struct want *w)
{
	struct buf	 b = { 0 };

	buf_addf(&b, "%s%c%s%c%s%c%s%c%s%c%s", w->query, 0, w->hash, 0,
	    w->session, 0, w->client, 0, kennel_node(), 0,
	    signpost_here() == NULL ? "" : signpost_here());
	buf_add(&b, "", 1);
	buf_add(&b, (const char *)&w->token, sizeof(w->token));
	buf_add(&b, (const char *)&w->slot, sizeof(w->slot));
	if (!b.failed && kennel_replica_neighbours(r) > 0)
		kennel_replica_tell(r, neighbour, "W", 1, b.data, b.len);
	buf_clear(&b);
}

struct want *
upload_want(struct kennel_replica *r, const char *query, const char *hash,
    const char *session, const char *client, upload_cb *cb, void *arg)
{
	struct want	*w;

	if ((w = upload_new(query, hash, session, client)) == NULL)
		return (NULL);
	w->slot = kennel_slot();
	w->token = bytes_random64();
	w->cb = cb;
	w->arg = arg;
	if (upload_match(w))
		return (NULL);
	upload_tell(r, 0, w);
	return (w);
}

/* A body has come, perhaps to a shard that was not in the group when its call was told:
 * ask who wants it. */
static void
upload_ask(struct kennel_replica *r, const struct early *e)
{
	struct buf	 b = { 0 };

	buf_addf(&b, "%s%c%s", e->query, 0, e->hash);
	buf_add(&b, "", 1);
	if (!b.failed && r != NULL && kennel_replica_neighbours(r) > 0)
		kennel_replica_tell(r, 0, "A", 1, b.data, b.len);
	buf_clear(&b);
}

/* A neighbour has a body of that name: our calls that want it are told to it. */
static void
upload_asked(struct kennel_replica *r, uint64_t neighbour, const char *query,
    const char *hash)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &upload.wants) {
		const struct want	*w = list_entry(e, struct want, at);

		if (w->cb != NULL && strcmp(w->query, query) == 0 &&
		    strcmp(w->hash, hash) == 0)
			upload_tell(r, neighbour, w);
	}
}

void
upload_cancel(struct want *w)
{
	if (w != NULL)
		upload_unwant(w);
}

void
upload_told(struct kennel_replica *r, uint64_t neighbour,
    const struct kennel_word *word)
{
	const char	*at = word->data, *end = at + word->len, *field[6];
	const size_t	 n = *word->head == 'A' ? 2 : nitems(field);
	struct want	*w;
	int		 far;

	if (word->head_len == 1 && *word->head == 'S' && word->len > 0 &&
	    at[word->len - 1] == '\0') {
		upload_announced(at);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		field[i] = at;
		if ((at = memchr(at, '\0', (size_t)(end - at))) == NULL)
			return;
		at++;
	}
	if (n == 2) {
		upload_asked(r, neighbour, field[0], field[1]);
		return;
	}
	/* From another node, to which we know no way: nothing can be done for it. */
	far = strcmp(field[4], kennel_node()) != 0;
	if ((size_t)(end - at) != sizeof(w->token) + sizeof(w->slot) ||
	    (far && *field[5] == '\0') || strlen(field[5]) > SIGNPOST_SERVER ||
	    (w = upload_new(field[0], field[1], field[2], field[3])) == NULL)
		return;
	if (far)
		strcpy(w->server, field[5]);
	memcpy(&w->token, at, sizeof(w->token));
	memcpy(&w->slot, at + sizeof(w->token), sizeof(w->slot));
	upload_match(w);
}

void
upload_announced(const char *hash)
{
	struct early	 was;
	struct list	*e, *tmp;

	list_each(e, tmp, &upload.earlies) {
		struct early	*early = list_entry(e, struct early, at);

		if (strcmp(early->hash, hash) != 0)
			continue;
		was = *early;
		upload_forget(early);
		was.again(was.q, was.query, was.hash, &was.who, was.fd);
		return;
	}
}

void
upload_elsewhere(const char *hash, const char *server)
{
	struct kennel_request	*q;
	struct asker		 who;
	struct list		*e, *tmp;

	list_each(e, tmp, &upload.earlies) {
		struct early	*early = list_entry(e, struct early, at);

		if (strcmp(early->hash, hash) != 0 ||
		    asker_is_server(early->q))
			continue;
		q = early->q;
		who = early->who;
		upload_send(server, q, &who, upload_forget(early));
		return;
	}
}

void
upload_announce(struct kennel_replica *r, const char *hash)
{
	upload_announced(hash);
	if (kennel_replica_neighbours(r) > 0)
		kennel_replica_tell(r, 0, "S", 1, hash, strlen(hash) + 1);
}

int
upload_put(struct kennel_request *q, const char *query, const char *hash,
    const struct asker *who, int fd, upload_again *again)
{
	struct early	*early;
	struct list	*e, *tmp;
	int		 known = 0;

	list_each(e, tmp, &upload.wants) {
		struct want	*w = list_entry(e, struct want, at);

		if (upload_is(w, who, query, hash)) {
			upload_give(w, q, who, fd);
			return (0);
		}
		known |= strcmp(w->query, query) == 0 &&
		    strcmp(w->hash, hash) == 0;
	}
	if (known || upload.nearlies >= UPLOADS_MAX || strlen(query) >
	    UPLOAD_NAME_MAX || strlen(hash) > UPLOAD_NAME_MAX ||
	    (early = calloc(1, sizeof(*early))) == NULL) {
		close(fd);
		refuse(q, 404, upload_unexpected);
		return (0);
	}
	early->until = kennel_time() + UPLOAD_EARLY_MS;
	early->q = q;
	early->fd = fd;
	early->again = again;
	early->who = *who;
	strcpy(early->query, query);
	strcpy(early->hash, hash);
	list_push(&upload.earlies, &early->at);
	upload.nearlies++;
	upload_watch();
	upload_ask(kennel_request_replica(q), early);
	return (1);
}

void
upload_note(const struct courier_note *n, int fd)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &upload.wants) {
		struct want	*w = list_entry(e, struct want, at);
		upload_cb	*cb = w->cb;
		void		*arg = w->arg;

		if (cb == NULL || w->token != n->token || fd == -1)
			continue;
		upload_unwant(w);
		cb(fd, arg);
		return;
	}
	if (fd != -1)
		close(fd);
}
