/* Several hosts in one process, whose links are queues. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "shardd/events/asking_why.h"
#include "shardd/events/graph.h"
#include "shardd/events/network.h"
#include "shardd/events/parcel.h"

#define HOSTS	12
#define WIRES	64
#define SAID	200000			/* more than any of these may say */

struct wire {				/* a link, both ways */
	int	 a, b;			/* a == b: none */
	double	 cost;
	char	 id[32];
};

struct said {
	struct said	*next;
	int		 to;
	uint64_t	 link;
	struct fasttcp_frame f;
	char		 bytes[];
};

struct host {
	int		 at;
	struct network	*w;
	char		 name[16];
	size_t		 got, changes;
	int		 original;	/* no kennel, as far as others hear */
	size_t		 parcels;	/* that came to it */
	size_t		 gone, kennels;	/* hosts, and peers, of which it heard */
	enum parcel_kind kind;		/* of the last that was no letter */
	uint32_t	 flags;
	uint64_t	 number;
	size_t		 told;		/* such parcels */
	size_t		 links;		/* that it was told of */
	uint8_t		 type;		/* of the last data */
	struct buf	 last;		/* "event data" of the last one */
};

static struct host	 hosts[HOSTS];
static struct wire	 wires[WIRES];	/* its number is its index and 1 */
static struct said	*queue, **end = &queue;
static size_t		 said;

/* The original does not say that it is a kennel. */
static void
unmark(char *text, size_t len)
{
	char	*mark = memmem(text, len, ",\"kennel\":1", 11);

	if (mark != NULL)
		memset(mark, ' ', 11);
}

static void
sent(void *arg, uint64_t link, const struct fasttcp_frame *f)
{
	struct host	*h = arg;
	struct wire	*w = &wires[link - 1];
	struct said	*s;

	ck_assert(w->a == h->at || w->b == h->at);
	ck_assert_uint_ne(fasttcp_head_len(fasttcp_d2, f), 0);
	ck_assert_uint_lt(++said, SAID);
	s = malloc(sizeof(*s) + f->cells.len + f->data.len);
	s->next = NULL;
	s->to = w->a == h->at ? w->b : w->a;
	s->link = link;
	s->f = *f;
	memcpy(s->bytes, f->cells.data, f->cells.len);
	memcpy(s->bytes + f->cells.len, f->data.data, f->data.len);
	if (h->original)
		unmark(s->bytes + f->cells.len, f->data.len);
	s->f.cells.data = s->bytes;
	s->f.data.data = s->bytes + f->cells.len;
	*end = s;
	end = &s->next;
}

static void
delivered(void *arg, const struct letter *l)
{
	struct host	*h = arg;

	h->got++;
	h->type = l->data_type;
	buf_reset(&h->last);
	buf_addf(&h->last, "%.*s %.*s %.*s", (int)l->event.len, l->event.data,
	    (int)l->data.len, l->data.data, (int)l->names.len,
	    l->names.len == 0 ? "" : l->names.data);
	buf_add(&h->last, "", 1);
}

/* A room has another number of members. */
static void
changed(void *arg, struct slice room)
{
	struct host	*h = arg;

	(void)room;
	h->changes++;
}

/* Another kennel says p. */
static void
parcelled(void *arg, const struct parcel *p)
{
	struct host	*h = arg;

	h->told++;
	h->kind = p->kind;
	h->flags = p->flags;
	h->number = p->number;
}

/* A host is not reached any more. */
static void
lost(void *arg, unsigned host)
{
	struct host	*h = arg;

	ck_assert_uint_gt(host, 0);
	h->gone++;
}

/* A peer is a kennel. */
static void
kennel(void *arg, uint64_t link)
{
	struct host	*h = arg;

	ck_assert_uint_gt(link, 0);
	h->kennels++;
}

static const struct network_ops ops = { sent, delivered, changed, parcelled,
	lost, kennel };

/* All that was said is heard. */
static void
settle(void)
{
	struct said	*s;
	struct wire	*w;

	while ((s = queue) != NULL) {
		if ((queue = s->next) == NULL)
			end = &queue;
		w = &wires[s->link - 1];
		hosts[s->to].parcels += s->f.type == FASTTCP_PARCEL;
		hosts[s->to].links += s->f.type == FASTTCP_NEW_LINK;
		if (w->a != w->b && (w->a == s->to || w->b == s->to))
			network_frame(hosts[s->to].w, s->link, &s->f);
		free(s);
	}
}

static void
setup(void)
{
	said = 0;
	memset(wires, 0, sizeof(wires));
	for (int i = 0; i < HOSTS; i++) {
		hosts[i].at = i;
		snprintf(hosts[i].name, sizeof(hosts[i].name), "h%d", i);
		hosts[i].w = network_new(slice_str(hosts[i].name), &ops,
		    &hosts[i]);
		hosts[i] = (struct host){ .at = i, .w = hosts[i].w,
		    .last = hosts[i].last };
		snprintf(hosts[i].name, sizeof(hosts[i].name), "h%d", i);
	}
}

static void
teardown(void)
{
	settle();
	for (int i = 0; i < HOSTS; i++) {
		network_free(hosts[i].w);
		buf_clear(&hosts[i].last);
	}
}

/* a has dialled b. */
static void
up(int n, int a, int b, double cost)
{
	struct wire	*w = &wires[n];

	*w = (struct wire){ .a = a, .b = b, .cost = cost };
	snprintf(w->id, sizeof(w->id), "h%d/down/%04d", b, n);
	ck_assert_int_eq(network_up(hosts[a].w, (uint64_t)n + 1,
	    slice_str(hosts[b].name), slice_str(w->id), cost), 0);
	ck_assert_int_eq(network_up(hosts[b].w, (uint64_t)n + 1,
	    slice_str(hosts[a].name), slice_str(w->id), 1), 0);
}

static void
down(int n)
{
	network_down(hosts[wires[n].a].w, (uint64_t)n + 1);
	network_down(hosts[wires[n].b].w, (uint64_t)n + 1);
	wires[n].b = wires[n].a;
}

/* Is b reached from a? */
static int
reached(int a, int b)
{
	int	 i = network_find(hosts[a].w, slice_str(hosts[b].name));

	return (i > 0 && network_first(hosts[a].w, (unsigned)i) != 0);
}

/* Over which wire b is reached from a; -1: none. */
static int
over(int a, int b)
{
	int	 i = network_find(hosts[a].w, slice_str(hosts[b].name));

	return (i < 1 ? -1 :
	    (int)network_first(hosts[a].w, (unsigned)i) - 1);
}

/* How many links a host knows: what it tells one that comes new, but for that one's own. */
static size_t
links(int host)
{
	const int	 n = WIRES - 1, witness = HOSTS - 1;
	size_t		 told;

	hosts[witness].links = 0;
	up(n, witness, host, 1);
	settle();
	told = hosts[witness].links;
	down(n);
	settle();
	return (told - 1);
}

static void
say(int from, enum word_whom whom, const char *names, const char *data)
{
	const struct letter	 l = { .whom = whom, .event = slice_str("e"),
				    .names = slice_str(names),
				    .data_type = FASTTCP_STRING,
				    .data = slice_str(data) };

	network_say(hosts[from].w, &l);
	settle();
}

/* Who has got something since, as bits. */
static unsigned
got(void)
{
	unsigned	 bits = 0;

	for (int i = 0; i < HOSTS; i++) {
		ck_assert_uint_le(hosts[i].got, 1);
		bits |= (unsigned)hosts[i].got << i;
		hosts[i].got = 0;
	}
	return (bits);
}

/* From h0 to that host, in a graph. */
static double
far(struct graph *g, const char *host)
{
	unsigned	 i = (unsigned)graph_host(g, slice_str(host), 0);

	return (graph_way(g, i) == NULL ? -1 : g->hosts[i].far);
}

/* A link in a graph; number is 1 for ours. */
static void
edge(struct graph *g, const char *from, const char *to, const char *id,
    double cost)
{
	ck_assert_int_eq(graph_link(g, slice_str(from), slice_str(to),
	    slice_str(id), cost, strcmp(from, "h3") == 0), 1);
}

START_TEST(a_path_costs_each_link_and_1)
{
	struct graph	 g;

	ck_assert_int_eq(graph_init(&g, slice_str("h3")), 0);
	edge(&g, "h3", "h2", "a", 1);
	edge(&g, "h2", "h1", "b", 1);
	edge(&g, "h1", "h2", "b", 1);
	ck_assert_double_eq(far(&g, "h1"), 4);
	edge(&g, "h3", "h1", "c", 5);
	ck_assert_double_eq(far(&g, "h1"), 4);
	graph_unlink(&g, slice_str("h2"), slice_str("h1"), slice_str("b"));
	ck_assert_double_eq(far(&g, "h1"), 6);
	edge(&g, "h2", "h1", "b", 1);
	ck_assert_double_eq(far(&g, "h1"), 4);
	graph_clear(&g);
}
END_TEST

START_TEST(the_cheaper_path_is_taken)
{
	up(0, 3, 2, 1);
	up(1, 2, 1, 1);
	settle();
	ck_assert_int_eq(over(3, 1), 0);
	up(2, 3, 1, 5);			/* dearer for h3, cheaper for h1 */
	settle();
	ck_assert_int_eq(over(3, 1), 0);
	ck_assert_int_eq(over(1, 3), 2);
	down(1);
	settle();
	ck_assert_int_eq(over(3, 1), 2);
	up(1, 2, 1, 1);
	settle();
	ck_assert_int_eq(over(3, 1), 0);
	ck_assert_int_eq(over(3, 4), -1);
}
END_TEST

START_TEST(messages_reach_each_host_once)
{
	up(0, 0, 1, 1);
	up(1, 1, 2, 1);
	up(2, 2, 3, 1);
	up(3, 3, 0, 1);			/* a circle, */
	up(4, 0, 2, 1);			/* and across, */
	up(5, 0, 1, 1);			/* and twice */
	settle();
	say(0, WHOM_ALL, "", "x");
	ck_assert_uint_eq(got(), 0xe);
	say(3, WHOM_ALL, "", "x");
	ck_assert_uint_eq(got(), 0x7);
	say(1, WHOM_SOCKETS, "h3/a,h0/b,h3/c,h9/d,e", "x");
	ck_assert_str_eq(hosts[3].last.data, "e x h3/a,h3/c");
	ck_assert_str_eq(hosts[0].last.data, "e x h0/b");
	ck_assert_uint_eq(got(), 0x9);
	down(0);
	settle();
	say(0, WHOM_ALL, "", "x");
	ck_assert_uint_eq(got(), 0xe);
}
END_TEST

/* Host 0 says bytes to all; what they are elsewhere. */
static void
say_bytes(void)
{
	const struct letter	 l = { .whom = WHOM_ALL,
				    .event = slice_str("e"),
				    .names = slice_str(""),
				    .data_type = FASTTCP_BINARY,
				    .data = slice_str("bytes") };

	network_say(hosts[0].w, &l);
	settle();
}

START_TEST(kennels_keep_types_and_others_get_json)
{
	hosts[2].original = 1;
	up(0, 0, 1, 1);
	up(1, 1, 2, 1);
	up(2, 2, 3, 1);
	up(3, 1, 4, 1);
	settle();
	say_bytes();
	ck_assert_uint_eq(got(), 0x1e);
	ck_assert_uint_eq(hosts[1].type, FASTTCP_BINARY);
	ck_assert_uint_eq(hosts[4].type, FASTTCP_BINARY);
	ck_assert_uint_eq(hosts[2].type, FASTTCP_OBJECT);
	ck_assert_uint_eq(hosts[3].type, FASTTCP_OBJECT);	/* over host 2 */
	ck_assert_uint_eq(hosts[1].parcels, 1);
	ck_assert_uint_eq(hosts[2].parcels, 0);
	ck_assert_uint_eq(hosts[3].parcels, 0);
	ck_assert_uint_eq(hosts[4].parcels, 1);
	/* A link that comes again begins anew. */
	hosts[1].original = 1;
	down(0);
	settle();
	up(0, 0, 1, 1);
	settle();
	say_bytes();
	ck_assert_uint_eq(hosts[1].type, FASTTCP_OBJECT);
	ck_assert_uint_eq(hosts[1].parcels, 1);
	ck_assert_uint_eq(got(), 0x1e);
}
END_TEST

START_TEST(a_parcel_passes_only_so_many_hosts)
{
	struct parcel		 p = { .kind = PARCEL_LETTER, .epoch = 1,
				    .origin = slice_str("h0"), .sequence = 1,
				    .letter = { .whom = WHOM_ALL,
				    .event = slice_str("e"),
				    .names = slice_str(""),
				    .data_type = FASTTCP_EMPTY } };
	struct fasttcp_frame	 f = { .type = FASTTCP_PARCEL,
				    .data_type = FASTTCP_BINARY,
				    .cells = slice_str("h1|h2|h3") };
	struct buf		 b = { 0 };

	up(0, 0, 1, 1);
	up(1, 1, 2, 1);
	up(2, 2, 3, 1);
	settle();
	p.hops = 2;
	parcel_write(&b, &p);
	f.data = slice_of(b.data, b.len);
	network_frame(hosts[1].w, 1, &f);
	settle();
	ck_assert_uint_eq(got(), 0x6);	/* host 3 is one too far */
	/* The same once more is nobody's; a question that does not arrive is answered. */
	network_frame(hosts[1].w, 1, &f);
	settle();
	ck_assert_uint_eq(got(), 0);
	p.kind = PARCEL_ASK;
	p.number = 77;
	p.sequence = 2;
	p.letter.whom = WHOM_SOCKETS;
	p.letter.names = slice_str("h3/x");
	buf_reset(&b);
	parcel_write(&b, &p);
	f.cells = slice_str("h3");
	f.data = slice_of(b.data, b.len);
	network_frame(hosts[1].w, 1, &f);
	settle();
	ck_assert_uint_eq(hosts[3].told, 0);
	ck_assert_uint_eq(hosts[0].told, 1);
	ck_assert_int_eq(hosts[0].kind, PARCEL_ANSWER);
	ck_assert_uint_eq(hosts[0].flags, ASKING_UNREACHED);
	ck_assert_uint_eq(hosts[0].number, 77);
	buf_clear(&b);
}
END_TEST

START_TEST(rooms_are_known_and_withdrawn)
{
	const struct slice	 r = slice_str("r");

	network_members(hosts[0].w, r, 2);
	up(0, 0, 1, 1);
	up(1, 1, 2, 1);
	settle();
	ck_assert_uint_eq(network_total(hosts[2].w, r), 2);
	network_members(hosts[2].w, r, 3);
	settle();
	for (int i = 0; i < 3; i++) {	/* whoever has it hears of each change */
		ck_assert_uint_eq(network_total(hosts[i].w, r), 5);
		ck_assert_uint_eq(hosts[i].changes, 2);
	}
	ck_assert_uint_eq(network_total(hosts[1].w, slice_str("none")), 0);
	say(1, WHOM_ROOMS, "none,r", "x");
	ck_assert_uint_eq(got(), 0x5);
	say(0, WHOM_ROOMS, "r", "x");
	ck_assert_uint_eq(got(), 0x4);
	network_members(hosts[2].w, r, 1);
	network_members(hosts[0].w, r, 0);
	settle();
	ck_assert_uint_eq(network_total(hosts[1].w, r), 1);
	ck_assert_uint_eq(network_total(hosts[2].w, r), 1);
	say(1, WHOM_ROOMS, "r", "x");
	ck_assert_uint_eq(got(), 0x4);
	/* A part that is cut off is forgotten, and comes back. */
	down(1);
	settle();
	ck_assert_uint_eq(network_total(hosts[0].w, r), 0);
	ck_assert_uint_eq(hosts[0].changes, 5);
	ck_assert_uint_eq(links(0), 2);
	say(0, WHOM_ROOMS, "r", "x");
	ck_assert_uint_eq(got(), 0);
	up(1, 1, 2, 1);
	settle();
	say(0, WHOM_ROOMS, "r", "x");
	ck_assert_uint_eq(got(), 0x4);
}
END_TEST

/* A part of the network that is cut off is forgotten whole: its rooms, its links and its
 * names, so that what is lost is told to nobody who comes later, and others have the room. */
START_TEST(what_is_cut_off_is_forgotten)
{
	up(0, 0, 1, 1);
	up(1, 1, 2, 1);
	up(2, 2, 3, 1);
	up(3, 3, 4, 1);
	network_members(hosts[4].w, slice_str("r"), 2);
	settle();
	ck_assert_uint_eq(links(0), 8);
	ck_assert_uint_eq(network_total(hosts[0].w, slice_str("r")), 2);
	hosts[0].gone = hosts[1].gone = 0;
	/* Behind host 1 nobody is left to say that hosts 3 and 4 are gone. */
	down(1);
	settle();
	ck_assert_uint_eq(hosts[0].gone, 3);
	ck_assert_uint_eq(hosts[1].gone, 3);
	for (int i = 2; i <= 4; i++)
		ck_assert_int_eq(network_find(hosts[0].w,
		    slice_str(hosts[i].name)), -1);
	ck_assert_uint_eq(network_total(hosts[0].w, slice_str("r")), 0);
	ck_assert_uint_eq(links(0), 2);
	/* The same where the link is our own. */
	hosts[0].gone = 0;
	down(0);
	settle();
	ck_assert_uint_eq(hosts[0].gone, 1);
	ck_assert_int_eq(network_find(hosts[0].w, slice_str("h1")), -1);
	ck_assert_uint_eq(links(0), 0);
}
END_TEST

/* Parcels go over kennels alone, and whoever sends one knows whom it does not reach. */
START_TEST(parcels_go_over_kennels_alone)
{
	struct parcel	 p = { .kind = PARCEL_OPEN, .number = 5, .letter = {
			    .whom = WHOM_ALL, .names = slice_str(""),
			    .event = slice_str("e"),
			    .data_type = FASTTCP_EMPTY } };
	struct hosts	 to;

	hosts[2].original = 1;
	up(0, 0, 1, 1);
	up(1, 1, 2, 1);
	up(2, 2, 3, 1);
	up(3, 1, 4, 1);
	settle();
	ck_assert_uint_eq(hosts[1].kennels, 2);	/* of three peers */
	network_meant(hosts[0].w, &p.letter, &to);
	network_parcel(hosts[0].w, &p, &to);
	ck_assert(hosts_empty(&to));
	settle();
	ck_assert_uint_eq(hosts[1].told, 1);
	ck_assert_uint_eq(hosts[4].told, 1);
	ck_assert_uint_eq(hosts[2].parcels + hosts[3].parcels, 0);
	/* Nobody at 2, and nobody at 3: host 1 says so. */
	ck_assert_uint_eq(hosts[0].told, 2);
	ck_assert_int_eq(hosts[0].kind, PARCEL_NOBODY);
	ck_assert_uint_eq(hosts[0].number, 5);
	/* Host 1 knows for itself. */
	network_meant(hosts[1].w, &p.letter, &to);
	network_parcel(hosts[1].w, &p, &to);
	settle();
	ck_assert(hosts_have(&to, (unsigned)network_find(hosts[1].w,
	    slice_str("h2"))));
	ck_assert(hosts_have(&to, (unsigned)network_find(hosts[1].w,
	    slice_str("h3"))));
	ck_assert(!hosts_have(&to, (unsigned)network_find(hosts[1].w,
	    slice_str("h4"))));
}
END_TEST

START_TEST(a_full_mesh_does_not_drown_in_announcements)
{
	int	 n = 0;

	for (int i = 0; i < 10; i++)
		for (int j = i + 1; j < 10; j++) {
			up(n++, i, j, 1);
			settle();
		}
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(reached(i, (i + 1) % 10), 1);
	/* Each of 90 links is told at most twice over each of 45. */
	ck_assert_uint_lt(said, 90 * 45 * 4);
	ck_assert_uint_eq(links(0), 90);
	settle();
	said = 0;
	network_members(hosts[0].w, slice_str("r"), 1);
	settle();
	ck_assert_uint_le(said, 90);
}
END_TEST

/* As it would be if all knew all: are a and b connected? */
static int
joined(int a, int b)
{
	unsigned	 seen = 1u << a, was = 0;

	while (seen != was) {
		was = seen;
		for (int i = 0; i < WIRES; i++)
			if (wires[i].a != wires[i].b &&
			    (seen >> wires[i].a & 1 || seen >> wires[i].b & 1))
				seen |= 1u << wires[i].a | 1u << wires[i].b;
	}
	return (seen >> b & 1);
}

START_TEST(whatever_comes_and_goes_all_agree_in_the_end)
{
	int	 n, a, b;

	srand((unsigned)_i + 1);
	for (int step = 0; step < 120; step++) {
		n = rand() % 20;
		if (wires[n].a != wires[n].b)
			down(n);
		else {
			a = rand() % HOSTS;
			b = (a + 1 + rand() % (HOSTS - 1)) % HOSTS;
			up(n, a, b, 1 + rand() % 5);
		}
		settle();
		said = 0;
		for (a = 0; a < HOSTS; a++)
			for (b = 0; b < HOSTS; b++)
				ck_assert_msg(a == b || reached(a, b) ==
				    joined(a, b), "step %d: h%d to h%d", step,
				    a, b);
	}
	for (a = 0; a < HOSTS; a++) {
		say(a, WHOM_ALL, "", "x");
		for (b = 0; b < HOSTS; b++) {
			ck_assert_uint_eq(hosts[b].got, a != b && joined(a, b));
			hosts[b].got = 0;
		}
	}
}
END_TEST

START_TEST(what_makes_no_sense_is_passed_over)
{
	static const char	*const texts[] = {
		"{}", "", "[]", "{\"source\":\"h1\"}",
		"{\"source\":\"h0\",\"destination\":\"h1\",\"link\":\"lie\"}",
		"{\"host\":\"h0\",\"room\":\"r\",\"ref\":5}",
		"{\"host\":\"nobody\",\"room\":\"r\",\"ref\":0}",
		"{\"event\":\"e\",\"socketIds\":[\"h0/x\"]",
	};
	struct fasttcp_frame	 f = { .data_type = FASTTCP_OBJECT,
				    .cells = slice_str("h1") };

	up(0, 0, 1, 1);
	up(1, 1, 2, 1);
	settle();
	for (int type = 0; type < FASTTCP_NTYPES; type++)
		for (size_t i = 0; i < nitems(texts); i++) {
			f.type = (enum fasttcp_type)type;
			f.data = slice_str(texts[i]);
			network_frame(hosts[0].w, 1, &f);
			network_frame(hosts[0].w, 7, &f);
		}
	f.type = FASTTCP_BROADCAST;	/* never back to where it came from */
	f.cells = slice_str("h1|h2||h77");
	f.data = slice_str("{\"event\":\"e\",\"except\":[]}");
	said = 0;
	network_frame(hosts[0].w, 1, &f);
	settle();
	ck_assert_uint_eq(said, 0);
	ck_assert_uint_eq(network_total(hosts[0].w, slice_str("r")), 0);
	ck_assert_uint_eq(got(), 0);
	ck_assert_int_eq(network_up(hosts[0].w, 9, slice_str("h0"),
	    slice_str("self"), 1), -1);
	ck_assert_int_eq(network_up(hosts[0].w, 9, slice_str("a|b"),
	    slice_str("l"), 1), -1);
	ck_assert_int_eq(network_up(hosts[0].w, 9, slice_str("h5"),
	    slice_str("l"), 0), -1);
	ck_assert_ptr_null(network_new(slice_str("a/b"), &ops, NULL));
	ck_assert_uint_eq(links(0), 4);
}
END_TEST

START_TEST(a_peer_that_announces_too_much_is_bounded)
{
	struct fasttcp_frame	 f = { .type = FASTTCP_NEW_LINK,
				    .data_type = FASTTCP_OBJECT,
				    .cells = slice_str("h1") };
	struct buf		 b = { 0 };

	up(0, 0, 1, 1);
	settle();
	for (int i = 0; i < 6000; i++) {
		buf_reset(&b);
		buf_addf(&b, "{\"source\":\"x%d\",\"destination\":\"y%d\","
		    "\"link\":\"l%d\",\"cost\":1}", i % 100, i % 90, i);
		f.data = slice_of(b.data, b.len);
		network_frame(hosts[0].w, 1, &f);
	}
	/* One more of our own has no room. */
	errno = 0;
	ck_assert_int_eq(network_up(hosts[0].w, 9, slice_str("h9"),
	    slice_str("l"), 1), -1);
	ck_assert_int_eq(errno, ENOSPC);
	for (int i = 0; i < 600; i++) {
		buf_reset(&b);
		buf_addf(&b, "{\"source\":\"z%d\",\"destination\":\"y\","
		    "\"link\":\"l%d\",\"cost\":1}", i, i);
		f.data = slice_of(b.data, b.len);
		network_frame(hosts[0].w, 1, &f);
	}
	network_down(hosts[0].w, 1);
	buf_clear(&b);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("network");
	TCase	*t = tcase_create("network");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_path_costs_each_link_and_1);
	tcase_add_test(t, the_cheaper_path_is_taken);
	tcase_add_test(t, what_is_cut_off_is_forgotten);
	tcase_add_test(t, parcels_go_over_kennels_alone);
	tcase_add_test(t, messages_reach_each_host_once);
	tcase_add_test(t, kennels_keep_types_and_others_get_json);
	tcase_add_test(t, a_parcel_passes_only_so_many_hosts);
	tcase_add_test(t, rooms_are_known_and_withdrawn);
	tcase_add_test(t, a_full_mesh_does_not_drown_in_announcements);
	tcase_add_loop_test(t, whatever_comes_and_goes_all_agree_in_the_end, 0,
	    20);
	tcase_add_test(t, what_makes_no_sense_is_passed_over);
	tcase_add_test(t, a_peer_that_announces_too_much_is_bounded);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}
