/* Numbers as JavaScript prints them. */
#ifndef PROTO_JS_NUMBER_H
#define PROTO_JS_NUMBER_H

#define JS_NUMBER_SIZE	64

/* ECMA-262 6.1.6.1.20 of a finite v: the shortest that reads back equal, terminated. */
void	 js_number_text(char dst[JS_NUMBER_SIZE], double v);

#endif
