/* Servers that find each other in memory; what servers notify each other of. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/forest/envelope.h"
#include "shardd/kennel-forest.h"

struct side {
	struct forest_site site;
	void		*self;
	int		 up, heard;
	char		 last[64], from[16];
};

static const struct forest_adapter	*a = &forest_memory;
static const char			*found;
static int				 reached;

static void
on_state(int up, void *arg)
{
	((struct side *)arg)->up = up;
}

static void
on_message(const char *sender, const char *msg, size_t len, void *arg)
{
	struct side	*s = arg;

	s->heard++;
	snprintf(s->last, sizeof(s->last), "%.*s", (int)len, msg);
	snprintf(s->from, sizeof(s->from), "%s", sender);
}

static void
on_read(const char *server, void *arg)
{
	(void)arg;
	found = server;
}

static void
on_pushed(int is, void *arg)
{
	(void)arg;
	reached = is;
}

static void
join(struct side *s, const char *ns, const char *id)
{
	memset(s, 0, sizeof(*s));
	s->site = (struct forest_site){ "", ns, id };
	s->self = a->join(&s->site, on_state, s);
	ck_assert_ptr_nonnull(s->self);
	ck_assert_int_eq(s->up, 1);
	ck_assert_int_eq(a->channels.pull(s->self, id, on_message, s), 0);
	ck_assert_int_eq(a->channels.pull(s->self, "", on_message, s), 0);
}

START_TEST(servers_find_each_other)
{
	struct side	 one, two, other;

	join(&one, "wood", "ONE");
	join(&two, "wood", "TWO");
	join(&other, "else", "TWO");
	a->channels.push(one.self, "", "{}", 2, on_pushed, NULL);
	ck_assert_int_eq(reached, 1);
	ck_assert_int_eq(one.heard, 1);
	ck_assert_int_eq(two.heard, 1);
	ck_assert_int_eq(other.heard, 0);
	ck_assert_str_eq(two.from, "ONE");
	a->channels.push(one.self, "TWO", "{1}", 3, on_pushed, NULL);
	ck_assert_str_eq(two.last, "{1}");
	ck_assert_int_eq(one.heard, 1);
	a->channels.push(one.self, "NONE", "{}", 2, on_pushed, NULL);
	ck_assert_int_eq(reached, 0);

	a->lookup.add(two.self, "client");
	a->lookup.read(one.self, "client", on_read, NULL);
	ck_assert_str_eq(found, "TWO");
	a->lookup.read(other.self, "client", on_read, NULL);
	ck_assert_ptr_null(found);
	a->lookup.remove(one.self, "client", "ONE");
	a->lookup.read(one.self, "client", on_read, NULL);
	ck_assert_str_eq(found, "TWO");
	a->leave(two.self);
	a->lookup.read(one.self, "client", on_read, NULL);
	ck_assert_ptr_null(found);
	a->leave(one.self);
	a->leave(other.self);
}
END_TEST

START_TEST(envelopes_are_read)
{
	static const char	 text[] = " {\"message\" : {\"a\":\"}\\\"\",\"b\":[{}]} ,"
				    "\"senderServerId\":\"S\",\"x\":1,"
				    "\"targetServerId\":\"T\"}";
	struct envelope		 e;

	ck_assert_int_eq(envelope_read(&e, slice_str(text)), 0);
	ck_assert(slice_is(e.message, "{\"a\":\"}\\\"\",\"b\":[{}]}"));
	ck_assert(slice_is(e.sender, "S"));
	ck_assert(slice_is(e.target, "T"));
	ck_assert_int_eq((int)e.id.len, 0);
}
END_TEST

/* Cut short anywhere, an envelope is none. */
START_TEST(envelopes_that_are_cut_are_none)
{
	static const char	 text[] = "{\"senderServerId\":\"S\",\"message\":"
				    "{\"a\":\"\\\\\"}}";
	struct envelope		 e;
	char			*copy;

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		copy = malloc(n + 1);
		memcpy(copy, text, n);
		ck_assert_int_eq(envelope_read(&e, slice_of(copy, n)), -1);
		free(copy);
	}
	ck_assert_int_eq(envelope_read(&e, slice_str(text)), 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("forest");
	TCase	*t = tcase_create("forest");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, servers_find_each_other);
	tcase_add_test(t, envelopes_are_read);
	tcase_add_test(t, envelopes_that_are_cut_are_none);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? 0 : 1);
}
