/*
 * A table is aligned columns of text and numbers, for a terminal.
 */
#ifndef GATEWAYD_CTL_TABLE_H
#define GATEWAYD_CTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

#define CELL_MAX	64
#define COLUMNS_MAX	8

struct json_t;

struct table {
	size_t		 ncolumns;
	const char	*heads[COLUMNS_MAX];
	int		 right[COLUMNS_MAX];	/* numbers */
	char		 (*cells)[CELL_MAX];
	size_t		 ncells;
};

/* The next cell, of CELL_MAX bytes, to be filled. */
char	*table_cell(struct table *t);
/* Names come from clients: nothing in them moves the cursor. */
void	 table_text(struct table *t, const struct json_t *v);
void	 table_number(struct table *t, const struct json_t *v);
/* All rows to out; the table is empty then. */
void	 table_show(struct table *t, FILE *out);
/* Milliseconds as "2h05m". */
void	 table_duration(char *dst, size_t size, const struct json_t *ms);

#endif
