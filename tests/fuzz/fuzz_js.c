/*
 * Any bytes as a client's JSON: what is read is written as JSON that reads back
 * to the same; and as a number in a string.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/js.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_text(struct js_text *t, const json_t *v)
{
	if (js_begin(t) == -1)
		abort();
	js_write(t->f, v);
	if (js_end(t) == -1)
		abort();
}

static void
as_json(const char *data, size_t size)
{
	struct js_text	 first, second;
	json_t		*v, *again;
	const char	*why;

	if ((v = js_parse(data, size, 32, &why)) == NULL)
		return;
	if (why != NULL)
		abort();
	write_text(&first, v);
	if ((again = js_parse(first.data, first.len, 32, &why)) == NULL)
		abort();
	write_text(&second, again);
	if (first.len != second.len ||
	    memcmp(first.data, second.data, first.len) != 0)
		abort();
	js_clear(&first);
	js_clear(&second);
	if (js_begin(&first) == -1)
		abort();
	js_write_plain(first.f, v);
	if (js_end(&first) == -1)
		abort();
	js_clear(&first);
	json_decref(v);
	json_decref(again);
}

static void
as_number(const char *data, size_t size)
{
	char	 text[JS_NUMBER], *copy;
	double	 v;

	/* A string of JSON is terminated behind its bytes. */
	if ((copy = malloc(size + 1)) == NULL)
		abort();
	memcpy(copy, data, size);
	copy[size] = '\0';
	v = js_to_number(copy, size);
	free(copy);
	if (!isfinite(v))
		return;
	js_number(text, v);
	if (strlen(text) >= sizeof(text) ||
	    js_to_number(text, strlen(text)) != v)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_json((const char *)data, size);
	as_number((const char *)data, size);
	return (0);
}
