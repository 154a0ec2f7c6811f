/*
 * What processes with fast-tcp's clients say to each other: any bytes as a word, which reads
 * the same once written again, and whose lists can be walked.
 */
#include <stdlib.h>

#include "shardd/events/names.h"
#include "shardd/events/word.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All names of a list, with their commas, are the list. */
static void
walk(struct slice list)
{
	struct slice	 at = list, name;
	size_t		 sum = 0, n = 0;

	while (names_next(&at, &name)) {
		sum += name.len;
		n++;
	}
	if (n != 0 && sum + n - 1 != list.len)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf	 b = { 0 };
	struct slice	 names, event;
	struct word	 w, again;

	if (names_split(slice_of(data, size), &names, &event) &&
	    names.len + 1 + event.len != size)
		abort();
	if (word_decode(&w, slice_of(data, size)) != 0)
		return (0);
	if (w.type == 0 || w.type >= WORD_NTYPES)
		abort();
	walk(w.names);
	walk(w.except);
	word_encode(&b, &w);
	if (b.failed || word_decode(&again, slice_of(b.data, b.len)) != 0 ||
	    again.type != w.type || again.number != w.number ||
	    again.whom != w.whom || again.data_type != w.data_type ||
	    again.flags != w.flags || !slice_eq(again.names, w.names) ||
	    !slice_eq(again.except, w.except) || !slice_eq(again.event, w.event))
		abort();
	buf_clear(&b);
	return (0);
}
