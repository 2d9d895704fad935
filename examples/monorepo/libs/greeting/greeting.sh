# greeting NAME prints a greeting.
greeting() {
	echo "hello, $1"
}
