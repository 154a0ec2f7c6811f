/* The arguments of a command of the store. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/state/store_args.h"

void
store_args_clear(struct store_args *a)
{
	free(a->at);
	free(a->len);
	buf_clear(&a->text);
	memset(a, 0, sizeof(*a));
}

void
store_arg(struct store_args *a, struct slice s)
{
	size_t	 cap = a->cap == 0 ? 64 : a->cap * 2;
	void	*at, *len;

	if (a->n == a->cap) {
		at = realloc(a->at, cap * sizeof(*a->at));
		if (at != NULL)
			a->at = at;
		len = realloc(a->len, cap * sizeof(*a->len));
		if (len != NULL)
			a->len = len;
		if (at == NULL || len == NULL) {
			a->failed = 1;
			return;
		}
		a->cap = cap;
	}
	a->at[a->n] = s.data;
	a->len[a->n++] = s.len;
}

void
store_arg_u64(struct store_args *a, uint64_t v, char text[24])
{
	snprintf(text, 24, "%" PRIu64, v);
	store_arg(a, slice_str(text));
}
