/*
 * pact: who is in a room, for /users, in pages: a page of each replica is asked for
 * by gossip, and as many of them as fit in one are told, in the order of replicas.
 * Where the next page begins is a replica and the number of a socket there.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/apps.h"
#include "shardd/apps/pact_names.h"
#include "shardd/apps/pact_tell.h"
#include "shardd/apps/pact_users.h"

#define PLACE_LEN	33		/* 16 hex digits, '-', 16 hex digits */

/* Behind which socket to go on. */
struct place {
	uint64_t	 replica, number;
};

/* A replica's part of a page. */
struct part {
	uint64_t	 replica;
	uint64_t	 last;		/* number of the last one in it */
	int		 more;		/* it has others behind that one */
	const char	*text;		/* entries, with commas between */
	size_t		 len;
};

struct users {			/* being answered */
	struct kennel_request *q;
	struct place	 from;
};

static void
place_write(char dst[PLACE_LEN + 1], const struct place *p)
{
	snprintf(dst, PLACE_LEN + 1, "%016" PRIx64 "-%016" PRIx64, p->replica,
	    p->number);
}

/* 0, or -1: that is no place. */
static int
place_read(struct place *p, const char *s, size_t len)
{
	char	 text[PLACE_LEN + 1];

	if (len != PLACE_LEN || s[16] != '-')
		return (-1);
	memcpy(text, s, PLACE_LEN);
	text[16] = text[PLACE_LEN] = '\0';
	if (strspn(text, "0123456789abcdef") != 16 ||
	    strspn(text + 17, "0123456789abcdef") != 16)
		return (-1);
	p->replica = strtoull(text, NULL, 16);
	p->number = strtoull(text + 17, NULL, 16);
	return (0);
}

/* ---- a replica's part ---- */

static void
part_write_user(FILE *f, struct pact_socket *ps)
{
	pact_write_public(f, ps);
	fprintf(f, ",\"lastCommunication\":%.0f}",
	    (double)kennel_socket_last(ps->socket));
}

/*
 * Entries of the sockets here that stand behind from, until a page is full; part
 * says which.  0, or -1 without memory; else text is t's.
 */
static int
part_make(struct part *part, struct js_text *t, struct kennel_replica *r,
    const struct place *from)
{
	struct pact_room	*room = kennel_replica_data(r);
	struct pact_roll	*roll = &room->roll;
	struct pact_socket	*ps;
	size_t			 i = 0;
	int			 n = 0;

	memset(part, 0, sizeof(*part));
	part->replica = kennel_replica_id(r);
	if (js_begin(t) == -1)
		return (-1);
	if (part->replica < from->replica)
		i = roll->n;
	else if (part->replica == from->replica)
		i = pact_roll_behind(roll, from->number);
	for (; i < roll->n; i++) {
		ps = pact_on_roll(roll->at[i].node);
		if (ps == NULL || !ps->joined)
			continue;
		if ((part->more = (size_t)ftell(t->f) >= pact_limits()->page))
			break;
		if (n++ > 0)
			putc(',', t->f);
		part_write_user(t->f, ps);
		part->last = roll->at[i].number;
	}
	if (js_end(t) == -1)
		return (-1);
	part->text = t->data;
	part->len = t->len;
	return (0);
}

/* A neighbour asks for its part: "last more entries" is the answer. */
void
pact_gossip(struct kennel_replica *r, struct kennel_answer *a,
    const char *msg, size_t len)
{
	struct js_text	 t, entries;
	struct place	 from;
	struct part	 part;

	if (place_read(&from, msg, len) == -1) {
		kennel_answer_error(a, "no place");
		return;
	}
	if (part_make(&part, &entries, r, &from) == -1) {
		kennel_answer_error(a, "no memory");
		return;
	}
	if (js_begin(&t) == 0) {
		fprintf(t.f, "%" PRIu64 " %d ", part.last, part.more);
		fwrite(part.text, 1, part.len, t.f);
		if (js_end(&t) == 0) {
			kennel_answer(a, t.data, t.len);
			len = 0;
		}
		js_clear(&t);
	}
	js_clear(&entries);
	if (len != 0)
		kennel_answer_error(a, "no memory");
}

/* A neighbour's answer.  0, or -1: it has none for us. */
static int
part_read(struct part *part, const struct kennel_slot *slot)
{
	const char	*end, *more, *text;

	if (slot->data == NULL)
		return (-1);
	end = slot->data + slot->len;
	if ((more = memchr(slot->data, ' ', slot->len)) == NULL ||
	    (text = memchr(more + 1, ' ', (size_t)(end - more - 1))) == NULL)
		return (-1);
	part->replica = slot->neighbour;
	part->last = strtoull(slot->data, NULL, 10);
	part->more = more[1] == '1';
	part->text = text + 1;
	part->len = (size_t)(end - part->text);
	return (0);
}

/* ---- the page ---- */

static int
part_compare(const void *a, const void *b)
{
	uint64_t	 x = ((const struct part *)a)->replica;
	uint64_t	 y = ((const struct part *)b)->replica;

	return (x < y ? -1 : x > y);
}

/*
 * The parts that fit, in order.  Returns whether there is more, behind *next.
 */
static int
users_write(FILE *f, struct part *parts, size_t n, struct place *next)
{
	size_t	 len = 0, max = pact_limits()->page;

	qsort(parts, n, sizeof(*parts), part_compare);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len == 0)
			continue;
		if (len > 0 && (len >= max || parts[i].len > max - len)) {
			next->replica = parts[i].replica;
			next->number = 0;
			return (1);
		}
		if (len > 0)
			putc(',', f);
		fwrite(parts[i].text, 1, parts[i].len, f);
		len += parts[i].len;
		if (parts[i].more) {
			next->replica = parts[i].replica;
			next->number = parts[i].last;
			return (1);
		}
	}
	return (0);
}

/* Would the page lack somebody only because too much is asked? */
static int
users_overloaded(const struct kennel_slot *slots, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slots[i].error != NULL &&
		    strcmp(slots[i].error, "overloaded") == 0)
			return (1);
	return (0);
}

static void
users_cb(struct kennel_replica *r, const struct kennel_slot *slots, size_t n,
    void *arg)
{
	struct users	*u = arg;
	struct part	*parts = calloc(n + 1, sizeof(*parts));
	struct js_text	 t, here;
	struct place	 next;
	char		 text[PLACE_LEN + 1];
	size_t		 nparts = 1;

	if (r == NULL || parts == NULL || users_overloaded(slots, n) ||
	    part_make(&parts[0], &here, r, &u->from) == -1) {
		kennel_respond(u->q, 503, NULL, NULL, 0);
		goto out;
	}
	for (size_t i = 0; i < n; i++)
		nparts += part_read(&parts[nparts], &slots[i]) == 0;
	if (js_begin(&t) == 0) {
		fprintf(t.f, "{\"ts\":%.0f,\"users\":[",
		    (double)kennel_time());
		if (users_write(t.f, parts, nparts, &next)) {
			place_write(text, &next);
			fprintf(t.f, "],\"next\":\"%s\"}", text);
		} else
			fputs("]}", t.f);
		app_respond_text(u->q, &t);
	} else
		kennel_respond(u->q, 503, NULL, NULL, 0);
	js_clear(&here);
out:
	free(parts);
	free(u);
}

static void
users_synced_cb(struct kennel_replica *r, int err, void *arg)
{
	struct users	*u = arg;
	char		 text[PLACE_LEN + 1];

	(void)err;
	place_write(text, &u->from);
	if (r != NULL && kennel_replica_gossip(r, text, PLACE_LEN, 0, users_cb,
	    u) == 0)
		return;
	kennel_respond(u->q, 503, NULL, NULL, 0);
	free(u);
}

void
pact_users(struct kennel_request *q, struct kennel_replica *r)
{
	struct users	*u = calloc(1, sizeof(*u));
	const char	*after;
	size_t		 len;

	if (u == NULL) {
		kennel_respond(q, 503, NULL, NULL, 0);
		return;
	}
	u->q = q;
	after = kennel_request_query(q, "after", &len);
	if (after != NULL && place_read(&u->from, after, len) == -1) {
		kennel_respond(q, 400, "text/plain", "after is what a page "
		    "before this one gave as next\n", 50);
		free(u);
		return;
	}
	/* Whatever anybody has been told is known when a step of ours is. */
	if (kennel_replica_step(r, "sync", 5, users_synced_cb, u) == 0)
		return;
	kennel_respond(q, 503, NULL, NULL, 0);
	free(u);
}
