/* What nodes of a network say to each other. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "proto/js_number.h"
#include "proto/utf8.h"
#include "shardd/events/discovery.h"
#include "shardd/events/json.h"
#include "shardd/events/members.h"
#include "shardd/events/names.h"

#define INTEGER_MAX	140737488355327.0	/* 2^47 - 1 */
#define NUMBER_MAX	64		/* characters of a number */

int
discovery_host_ok(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.data[i] <= ' ' ||
		    name.data[i] == 0x7f || name.data[i] == ',' ||
		    name.data[i] == '|' || name.data[i] == '/')
			return (0);
	return (name.len > 0 && name.len <= HOST_MAX &&
	    utf8_valid(name.data, name.len));
}

/* What the string text says, kept behind *b, whose data does not move: 0 or -1. */
static int
discovery_string(struct buf *b, struct slice text, struct slice *out)
{
	size_t	 from = b->len;

	if (members_string(b, text) == -1 || b->failed)
		return (-1);
	*out = slice_of(b->data + from, b->len - from);
	return (0);
}

/* A number, or -1. */
static int
discovery_number(struct slice text, double *out)
{
	char	 s[NUMBER_MAX + 1];

	if (text.len == 0 || text.len > NUMBER_MAX ||
	    memchr("-0123456789", text.data[0], 11) == NULL)
		return (-1);
	memcpy(s, text.data, text.len);
	s[text.len] = '\0';
	*out = strtod(s, NULL);
	return (0);
}

/* Is f an object at all?  Then room for all that its strings say, which is no more than
 * its text. */
static int
discovery_open(struct members *m, struct buf *text, const struct fasttcp_frame *f)
{
	if (f->data_type != FASTTCP_OBJECT || !json_valid(f->data) ||
	    members_open(m, f->data, '{') == -1)
		return (-1);
	return (buf_reserve(text, f->data.len + 1) == NULL ? -1 : 0);
}

/* ---- links and rooms ---- */

/* Does a frame of this type say something of a link?  Else of a room. */
static int
discovery_of_link(enum fasttcp_type type)
{
	return (type == FASTTCP_NEW_LINK || type == FASTTCP_DEL_LINK);
}

/* Is there all that a frame of this type says? */
static int
discovery_whole(enum fasttcp_type type, const struct discovery *d)
{
	if (discovery_of_link(type))
		return (discovery_host_ok(d->source) &&
		    discovery_host_ok(d->destination) &&
		    !slice_eq(d->source, d->destination) &&
		    d->link.len > 0 && d->link.len <= LINK_MAX &&
		    d->cost > 0 && d->cost < 1e9);
	return (discovery_host_ok(d->host) && d->room.data != NULL &&
	    d->room.len <= ROOM_MAX);
}

int
discovery_read(struct discovery *d, const struct fasttcp_frame *f)
{
	const int	 link = discovery_of_link(f->type);
	double		 kennel = 0;
	const struct {
		const char	*name;
		int		 here;	/* do frames of this type have it? */
		struct slice	*string;
		double		*number;
	} rows[] = {
		{ "source", link, &d->source, NULL },
		{ "destination", link, &d->destination, NULL },
		{ "link", link, &d->link, NULL },
		{ "cost", f->type == FASTTCP_NEW_LINK, NULL, &d->cost },
		{ "kennel", f->type == FASTTCP_NEW_LINK, NULL, &kennel },
		{ "host", !link, &d->host, NULL },
		{ "room", !link, &d->room, NULL },
		{ "ref", !link, NULL, NULL },
	};
	struct members	 m;
	struct slice	 name, value;
	double		 n;

	d->cost = 1;
	if (discovery_open(&m, &d->text, f) == -1)
		return (-1);
	while (members_next(&m, &name, &value))
		for (size_t i = 0; i < nitems(rows); i++) {
			if (!rows[i].here || !members_is(name, rows[i].name))
				continue;
			if (rows[i].string != NULL) {
				if (rows[i].string->data != NULL ||
				    discovery_string(&d->text, value,
				    rows[i].string) == -1)
					return (-1);
			} else if (discovery_number(value, &n) == -1) {
				if (rows[i].number == &kennel)
					continue;	/* somebody's own */
				return (-1);
			} else if (rows[i].number != NULL)
				*rows[i].number = n;
			else if (n >= 0 && n <= UINT32_MAX)
				d->ref = (uint64_t)n;
		}
	d->kennel = kennel == 1;
	return (discovery_whole(f->type, d) ? 0 : -1);
}

void
discovery_clear(struct discovery *d)
{
	buf_clear(&d->text);
	*d = (struct discovery){ 0 };
}

/* Append "name":"value". */
static void
discovery_add(struct buf *b, const char *name, struct slice value)
{
	buf_addf(b, "%s\"%s\":", b->len > 0 && b->data[b->len - 1] == '{' ?
	    "" : ",", name);
	members_quote(b, value);
}

void
discovery_write(struct buf *b, enum fasttcp_type type,
    const struct discovery *d)
{
	char	 number[JS_NUMBER_SIZE];

	buf_adds(b, "{");
	if (discovery_of_link(type)) {
		discovery_add(b, "source", d->source);
		discovery_add(b, "destination", d->destination);
		discovery_add(b, "link", d->link);
		if (type == FASTTCP_NEW_LINK) {
			js_number_text(number, d->cost);
			buf_addf(b, ",\"cost\":%s%s", number, d->kennel ?
			    ",\"kennel\":1" : "");
		}
	} else {
		discovery_add(b, "host", d->host);
		discovery_add(b, "room", d->room);
		buf_addf(b, ",\"ref\":%llu", (unsigned long long)d->ref);
	}
	buf_adds(b, "}");
}

/* ---- messages ---- */

/* The strings of an array, separated by commas; those that have one are left out. */
static int
letter_list(struct buf *b, struct slice text, struct slice *out)
{
	struct members	 m;
	struct slice	 none, value;
	size_t		 from = b->len, at, n = 0;

	if (members_open(&m, text, '[') == -1)
		return (-1);
	while (members_next(&m, &none, &value)) {
		at = b->len;
		if (n > 0)
			buf_add(b, ",", 1);
		if (members_string(b, value) == -1 || (b->len > at + (n > 0) &&
		    memchr(b->data + at + (n > 0), ',', b->len - at -
		    (n > 0)) != NULL))
			b->len = at;
		else
			n++;
	}
	*out = n == 0 || b->failed ? slice_of(NULL, 0) :
	    slice_of(b->data + from, b->len - from);
	return (b->failed ? -1 : 0);
}

/* A number as data: whole ones are integers, if they are small enough. */
static int
letter_number(struct letter *l, struct slice text)
{
	char	 bytes[FASTTCP_DECIMAL_LEN];
	size_t	 from = l->text.len, n;
	double	 v;

	if (discovery_number(text, &v) == -1)
		return (-1);
	if (v <= INTEGER_MAX && v >= -INTEGER_MAX && v == (double)(int64_t)v) {
		l->data_type = FASTTCP_INTEGER;
		fasttcp_put_integer(bytes, (int64_t)v);
		n = FASTTCP_INTEGER_LEN;
	} else {
		l->data_type = FASTTCP_DECIMAL;
		fasttcp_put_decimal(bytes, v);
		n = FASTTCP_DECIMAL_LEN;
	}
	buf_add(&l->text, bytes, n);
	l->data = slice_of(l->text.data + from, n);
	return (l->text.failed ? -1 : 0);
}

/* The value "data". */
static int
letter_data(struct letter *l, struct slice text)
{
	switch (text.data[0]) {
	case '"':
		l->data_type = FASTTCP_STRING;
		return (discovery_string(&l->text, text, &l->data));
	case '{':
	case '[':
		l->data_type = FASTTCP_OBJECT;
		l->data = text;
		return (0);
	case 't':
	case 'f':
		l->data_type = FASTTCP_BOOLEAN;
		l->data = slice_of(text.data[0] == 't' ? "\1" : "\0", 1);
		return (0);
	case 'n':
		l->data_type = FASTTCP_EMPTY;
		return (0);
	default:
		return (letter_number(l, text));
	}
}

/* Whom a frame of this type is for. */
static enum word_whom
letter_whom(enum fasttcp_type type)
{
	return (type == FASTTCP_TO_SOCKET ? WHOM_SOCKETS :
	    type == FASTTCP_TO_ROOM ? WHOM_ROOMS : WHOM_ALL);
}

int
letter_read(struct letter *l, const struct fasttcp_frame *f)
{
	struct members	 m;
	struct slice	 name, value;
	int		 r;

	l->whom = letter_whom(f->type);
	l->data_type = FASTTCP_EMPTY;
	/* A number has more bytes than its text, at most twice. */
	if (discovery_open(&m, &l->text, f) == -1 ||
	    buf_reserve(&l->text, 2 * f->data.len + 64) == NULL)
		return (-1);
	while (members_next(&m, &name, &value)) {
		r = 0;
		if (members_is(name, "event") && l->event.data == NULL)
			r = discovery_string(&l->text, value, &l->event);
		else if (members_is(name, "data") && l->data.data == NULL)
			r = letter_data(l, value);
		else if (members_is(name, "except") && l->except.data == NULL)
			r = letter_list(&l->text, value, &l->except);
		else if (l->names.data == NULL &&
		    ((l->whom == WHOM_SOCKETS && members_is(name, "socketIds")) ||
		    (l->whom == WHOM_ROOMS && members_is(name, "rooms"))))
			r = letter_list(&l->text, value, &l->names);
		if (r == -1)
			return (-1);
	}
	if (l->event.data == NULL || l->event.len > FASTTCP_EVENT_MAX ||
	    (l->whom != WHOM_ALL && l->names.data == NULL))
		return (-1);
	return (0);
}

void
letter_clear(struct letter *l)
{
	buf_clear(&l->text);
	*l = (struct letter){ 0 };
}

/* Append a list of names as an array. */
static void
letter_write_list(struct buf *b, const char *name, struct slice names)
{
	struct slice	 one;
	const char	*comma = "";

	buf_addf(b, ",\"%s\":[", name);
	while (names_next(&names, &one)) {
		buf_adds(b, comma);
		members_quote(b, one);
		comma = ",";
	}
	buf_adds(b, "]");
}

/* Append bytes as JSON.stringify() has a Buffer. */
static void
letter_write_buffer(struct buf *b, struct slice data)
{
	buf_adds(b, "{\"type\":\"Buffer\",\"data\":[");
	for (size_t i = 0; i < data.len; i++)
		buf_addf(b, i == 0 ? "%u" : ",%u", (uint8_t)data.data[i]);
	buf_adds(b, "]}");
}

/* Append the data of l as a value. */
static void
letter_write_data(struct buf *b, const struct letter *l)
{
	char	 number[JS_NUMBER_SIZE];
	double	 v;

	switch (l->data_type) {
	case FASTTCP_STRING:
		members_quote(b, l->data);
		break;
	case FASTTCP_INTEGER:
		buf_addf(b, "%lld", (long long)fasttcp_get_integer(l->data));
		break;
	case FASTTCP_DECIMAL:
		v = fasttcp_get_decimal(l->data);
		if (isfinite(v))
			js_number_text(number, v);
		buf_adds(b, isfinite(v) ? number : "null");
		break;
	case FASTTCP_BOOLEAN:
		buf_adds(b, l->data.data[0] != 0 ? "true" : "false");
		break;
	case FASTTCP_OBJECT:
		if (json_valid(l->data)) {
			buf_add(b, l->data.data, l->data.len);
			break;
		}
		/* FALLTHROUGH */
	default:
		letter_write_buffer(b, l->data);
		break;
	}
}

void
letter_write(struct buf *b, const struct letter *l)
{
	buf_adds(b, "{");
	discovery_add(b, "event", l->event);
	if (l->data_type != FASTTCP_EMPTY) {
		buf_adds(b, ",\"data\":");
		letter_write_data(b, l);
	}
	if (l->whom == WHOM_SOCKETS)
		letter_write_list(b, "socketIds", l->names);
	else if (l->whom == WHOM_ROOMS)
		letter_write_list(b, "rooms", l->names);
	letter_write_list(b, "except", l->except);
	buf_adds(b, "}");
}
