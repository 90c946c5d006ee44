// Package recipe turns the text of a chain or a recipe into steps: names and
// argument lists. It never knows commands or arrays; so which words of a step
// name results of others, and with that the order of the steps, shows only as
// its command opens them.
//
// A chain is a command line whose steps are joined by "then". A recipe is the
// command line again, a line a step, with names for results:
//
//	s = gap x --keepdims
//	z = linear s --weight fc1.npy --activation relu
//	y = mul x z
package recipe
