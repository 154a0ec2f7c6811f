/* Aligned columns of text and numbers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/log.h"
#include "gatewayd/ctl/say.h"
#include "gatewayd/ctl/table.h"

char *
table_cell(struct table *t)
{
	void	*p;

	if ((t->ncells & (t->ncells - 1)) == 0) {
		p = realloc(t->cells, (t->ncells == 0 ? 1 : t->ncells * 2) *
		    sizeof(*t->cells));
		if (p == NULL)
			say_die(EXIT_NONE, "out of memory");
		t->cells = p;
	}
	return (t->cells[t->ncells++]);
}

void
table_text(struct table *t, const json_t *v)
{
	log_escape(table_cell(t), CELL_MAX, json_is_string(v) ?
	    json_string_value(v) : "", json_string_length(v));
}

void
table_number(struct table *t, const json_t *v)
{
	snprintf(table_cell(t), CELL_MAX, "%" JSON_INTEGER_FORMAT,
	    json_integer_value(v));
}

/* A row to out. */
static void
table_row(const struct table *t, FILE *out, const char *const *row,
    const size_t *wide)
{
	for (size_t i = 0; i < t->ncolumns; i++) {
		if (t->right[i])
			fprintf(out, "%s%*s", i == 0 ? "" : "  ", (int)wide[i],
			    row[i]);
		else if (i + 1 < t->ncolumns)
			fprintf(out, "%s%-*s", i == 0 ? "" : "  ", (int)wide[i],
			    row[i]);
		else
			fprintf(out, "  %s", row[i]);
	}
	putc('\n', out);
}

void
table_show(struct table *t, FILE *out)
{
	const char	*row[COLUMNS_MAX];
	size_t		 wide[COLUMNS_MAX], len;

	for (size_t i = 0; i < t->ncolumns; i++)
		wide[i] = strlen(t->heads[i]);
	for (size_t i = 0; i < t->ncells; i++)
		if ((len = strlen(t->cells[i])) > wide[i % t->ncolumns])
			wide[i % t->ncolumns] = len;
	table_row(t, out, t->heads, wide);
	for (size_t i = 0; i < t->ncells; i += t->ncolumns) {
		for (size_t j = 0; j < t->ncolumns; j++)
			row[j] = t->cells[i + j];
		table_row(t, out, row, wide);
	}
	free(t->cells);
	t->cells = NULL;
	t->ncells = 0;
}

void
table_duration(char *dst, size_t size, const struct json_t *ms)
{
	int64_t	 s = json_integer_value(ms) / 1000;

	if (s < 60)
		snprintf(dst, size, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(dst, size, "%" PRId64 "m%02ds", s / 60,
		    (int)(s % 60));
	else if (s < 86400)
		snprintf(dst, size, "%" PRId64 "h%02dm", s / 3600,
		    (int)(s / 60 % 60));
	else
		snprintf(dst, size, "%" PRId64 "d%02dh", s / 86400,
		    (int)(s / 3600 % 24));
}
