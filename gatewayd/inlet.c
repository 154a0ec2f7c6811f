/* Where clients come in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/config.h"
#include "common/networks.h"
#include "gatewayd/inlet.h"

#define INLET_LABEL_MAX	64

/* Free what an inlet has. */
static void
inlet_clear(struct inlet *in)
{
	free(in->label);
	free(in->text);
	free(in->trusted_text);
	networks_free(in->trusted);
	memset(in, 0, sizeof(*in));
}

void
inlets_clear(struct inlets *ins)
{
	while (ins->n > 0)
		inlet_clear(&ins->list[--ins->n]);
}

/* ---- its keys ---- */

/* The address of an inlet, which has none yet. */
static int
inlet_set_address(struct inlet *in, const char *value, const char **why)
{
	if (in->text != NULL) {
		*why = "has an address already; a section has one";
		return (-1);
	}
	if (sock_parse(value, &in->address, why) == -1)
		return (-1);
	if ((in->text = strdup(value)) == NULL) {
		*why = "out of memory";
		return (-1);
	}
	return (0);
}

/* Does each connection begin with a head of the PROXY protocol? */
static int
inlet_set_proxy_protocol(struct inlet *in, const char *value, const char **why)
{
	return (config_bool(value, &in->proxy_protocol, why));
}

/* The proxies that may send such a head; the last line counts. */
static int
inlet_set_proxy_trusted(struct inlet *in, const char *value, const char **why)
{
	struct networks	*n = networks_new(value);
	char		*text = strdup(value);

	if (n == NULL || text == NULL) {
		*why = "must be addresses and networks of proxies, or \"unix\": "
		    "127.0.0.1 10.0.0.0/8 fd00::/8 unix";
		networks_free(n);
		free(text);
		return (-1);
	}
	networks_free(in->trusted);
	free(in->trusted_text);
	in->trusted = n;
	in->trusted_text = text;
	return (0);
}

static const struct {
	const char	*key;
	int		(*set)(struct inlet *, const char *, const char **);
} inlet_keys[] = {
	{ "address",		inlet_set_address },
	{ "proxy_protocol",	inlet_set_proxy_protocol },
	{ "proxy_trusted",	inlet_set_proxy_trusted },
};

/* ---- the list ---- */

/* Another one; NULL with *why. */
static struct inlet *
inlets_add(struct inlets *ins, const char **why)
{
	if (ins->n == INLETS_MAX) {
		*why = "too many addresses to listen on";
		return (NULL);
	}
	return (&ins->list[ins->n++]);
}

int
inlets_listen(struct inlets *ins, const char *address, const char **why)
{
	struct inlet	*in;

	if ((in = inlets_add(ins, why)) == NULL)
		return (-1);
	if (inlet_set_address(in, address, why) == 0)
		return (0);
	inlet_clear(in);
	ins->n--;
	return (-1);
}

void
inlets_unlisten(struct inlets *ins)
{
	size_t	 n = 0;

	for (size_t i = 0; i < ins->n; i++)
		if (ins->list[i].label == NULL)
			inlet_clear(&ins->list[i]);
		else
			ins->list[n++] = ins->list[i];
	memset(&ins->list[n], 0, (ins->n - n) * sizeof(ins->list[0]));
	ins->n = n;
}

int
inlets_section(struct inlets *ins, const char *label, const char **why)
{
	struct inlet	*in;
	size_t		 len = strlen(label);

	if (len == 0 || len > INLET_LABEL_MAX || strspn(label,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
	    != len) {
		*why = "a listener has a name of 1 to 64 letters, digits, '.', "
		    "'_' or '-', such as [listener web]";
		return (-1);
	}
	if (inlets_find(ins, label, len) != NULL) {
		*why = "another listener has this name";
		return (-1);
	}
	if ((in = inlets_add(ins, why)) == NULL)
		return (-1);
	if ((in->label = strdup(label)) == NULL) {
		ins->n--;
		*why = "out of memory";
		return (-1);
	}
	return (0);
}

int
inlets_option(struct inlets *ins, const char *key, const char *value,
    const char **why)
{
	for (size_t i = 0; i < nitems(inlet_keys); i++)
		if (strcmp(inlet_keys[i].key, key) == 0)
			return (inlet_keys[i].set(&ins->list[ins->n - 1], value,
			    why));
	*why = "unknown key";
	return (-1);
}

int
inlets_check(const struct inlets *ins, char *err, size_t size)
{
	const struct inlet	*in;

	for (size_t i = 0; i < ins->n; i++) {
		in = &ins->list[i];
		if (in->text == NULL) {
			snprintf(err, size, "[listener %s] needs the key "
			    "\"address\"", in->label);
			return (-1);
		}
		if (in->proxy_protocol && in->trusted == NULL) {
			snprintf(err, size, "[listener %s] proxy_protocol needs "
			    "the key \"proxy_trusted\": the addresses of the "
			    "proxies that may say who a client is", in->label);
			return (-1);
		}
	}
	return (0);
}

const struct inlet *
inlets_find(const struct inlets *ins, const char *label, size_t len)
{
	for (size_t i = 0; i < ins->n; i++)
		if (ins->list[i].label != NULL && slice_eq(slice_of(label, len),
		    slice_str(ins->list[i].label)))
			return (&ins->list[i]);
	return (NULL);
}

int
inlets_sections(const struct inlets *ins)
{
	for (size_t i = 0; i < ins->n; i++)
		if (ins->list[i].label != NULL)
			return (1);
	return (0);
}

int
inlet_same(const struct inlet *a, const struct inlet *b)
{
	return (strcmp(a->text, b->text) == 0 &&
	    a->proxy_protocol == b->proxy_protocol &&
	    slice_eq(slice_str(a->trusted_text), slice_str(b->trusted_text)));
}
