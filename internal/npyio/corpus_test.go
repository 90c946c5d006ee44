package npyio

import "strings"

// headerCase is a header that NumPy is asked about as well. differs says why
// fusectl decides otherwise, where it does.
type headerCase struct {
	text    string
	major   byte
	differs string
}

func corpus() []headerCase {
	const plain = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}"
	var cases []headerCase
	add := func(differs string, texts ...string) {
		for _, s := range texts {
			cases = append(cases, headerCase{s, 1, differs})
		}
	}
	swap := func(old string, news ...string) {
		for _, s := range news {
			add("", strings.Replace(plain, old, s, 1))
		}
	}
	// the literal
	add("", plain, " "+plain, "\n"+plain, "\t"+plain, "("+plain+")", plain+",", plain+" # note", plain+"\n# note\n", plain+"\nx", plain+"}",
		strings.ReplaceAll(plain, "'", `"`), strings.ReplaceAll(plain, " ", ""), plain[:len(plain)-1], plain[:len(plain)-1]+",}", plain[:len(plain)-1]+",,}",
		"", "\n", "{}", "[]", "None", "{'descr'}", "{**"+plain+"}", plain+"\x00", plain+"\x1a", plain+"\x0b", plain+"\f")
	swap("'descr'", "u'descr'", "b'descr'", "r'descr'", "f'descr'", "ur'descr'", "'''descr'''", "'d' 'escr'", `'\x64escr'`, `'\144escr'`, `'\u0064escr'`, `'\U00000064escr'`, "('descr')", "'\\\ndescr'", "'de\nscr'", `'\descr'`, `'descr`, `"descr'`, "descr", "1", "('descr',)", "#'\n'descr'")
	swap("False", "True", "0", "None", "(False)", "false", "'False'", "False ''")
	swap("(2,)", "()", "(2)", "[2]", "2", "(2,3)", "(2,3,)", "((2,3))", "(2,,3)", "(,)", "('2',)", "(True,)", "(2.0,)", "(2e0,)", "(2j,)", "(+2,)", "(- 0,)", "(--2,)", "(~2,)", "(0x2,)", "(0X2,)", "(0b10,)", "(0o2,)", "(02,)", "(00,)", "(0_0,)", "(0_7,)", "(1_0,)", "(1__0,)", "(10_,)", "(_1,)", "(0x_2,)", "(0x,)", "(2L,)", "(2 L,)", "(2l,)", "(2LL,)", "(2,\\\n)", "(2,\n)", "(2\r\n,)", "(2\f,)", "(1)*2", "(0,9223372036854775807)", "(0,9223372036854775808)", "(0,4611686018427387904,4)", "(2,0)", "None")
	// the dtypes
	for _, d := range []string{
		"'>f4'", "'=f8'", "'|f8'", "'float64'", "'<float64'", "'f8 '", "' f8'", "'F4'", "'<f'", "'?'", "'?1'", "'<b1'", "'b2'", "'int64'", "'e'", "'f3'", "'<<f4'", "'^f4'", "'f08'x", "''", "None", "8", "b'<f4'", "'f' '8'",
		"'S5'", "'a3'", "'>U3'", "'|U3'", "'V8'", "'<V2'", "'c'", "'M8'", "'M8[ns]'", "'>m8[25s]'", "'datetime64[D]'", "'M[s]'", "'M8[]'", "'M8[2]'", "'M8[1s]'", "'M8[007s]'", "'M8[0s]'", "'M8[generic]'", "'M8[25generic]'", "'M8[s'", "'M8s'", "'M8[xx]'", "'M8[-1s]'", "'M8[2147483648s]'", "'M4'", "'<f1'", "'float8_e4m3fn'", "'int4'", "'|O'", "'object'", "[('a','O')]",
		"[('a','<f4')]", "[['a','f4']]", "[('a','f4'),('b','>i2')]", "[('a','f4',(2,))]", "[('a','f4',[2])]", "[('a','f4',2)]", "[('a','f4',1)]", "[('a','f4',())]", "[('a','f4',(1,))]", "[('a','f4',(2,),3)]", "[('a',)]", "[('a','f4',(True,))]", "[('a','f4',(-1,))]", "[('a','f4',(2147483647,2))]", "[('a',('f4',(2,)))]", "[('a',('f4',(2,)),(3,))]", "[('a','(2,)f4',(3,))]",
		"[('a',[('b','f4',(2,)),('c','>i8')],(3,))]", "[(('T','n'),'f4')]", "[((None,'n'),'f4')]", "[(('','n'),'f4')]", "[(('n','n'),'f4')]", "[(('a','b'),'f4'),('a','f4')]", "[('a','f4'),('a','f4')]", "[(b'a','f4')]", "[(1,'f4')]", "[(None,'f4')]", "['f4','f4']",
		"[('','V4'),('','V2'),('a','f4')]", "[('','f4',(2,)),('a','i2')]", "[('','f4'),('a','i2')]", "[('','f4'),('','i2')]", "[('','S4'),('b','i4')]", "[('',[('x','f4')]),('b','i4')]", "[('a','V0'),('b','f4')]", "[('a','u1'),('','V3')]", "[('a','M8[us]')]", "[('\\xe9','f4')]", "[('\\u4e2d\\n','f4')]", `[("it's",'f4')]`, `[('"\'','f4')]`,
		"'f4,i2'", "'<f4,>i2'", "'2f4, i2'", "'f4 , i2'", "'(2,3)f4,u1'", "'f4,'", "'f4,f4,'", "','", "'f4;f4'", "'f4 f4'", "'4i1,f4'", "'a5,b1'", "'O,f4'", "'1f4'", "'()f4'", "'(2f4'", "(('a','f4'),)", "('f4',())", "('f4',1)",
	} {
		swap("'<f4'", d)
	}
	// elements of no bytes
	for _, d := range []string{"'V0'", "'|V'", "'S'", "'>S0'", "'U0'", "'>U0'", "'a0'", "[]", "[('a',[])]", "[('a','S0')]", "[('a','S0'),('b','>U0'),('c','V0')]", "[('a','f4',(0,))]", "[('a','f4',(0,3))]", "[('a','f4',0)]", "[('a','i4'),('b','f4',(0,))]", "[('a','S0',(2,))]", "[('a','S0',())]", "[('a','>U0',3)]", "[('a','V0',1)]", "[('a','S0',0)]", "[('a','S0',-1)]", "[('a','(0,)f4',(3,))]", "[('a',('f4',(0,)),(3,))]", "[('a',[],(3,))]", "[('a',[('b','S0')],3)]", "[('','V0')]", "[('','S0')]", "[('a','V0'),('','V2')]", "'S0,V0'", "'0f4,0i2'", "'2S0,U0'"} {
		swap("'<f4'", d)
	}
	cases = append(cases,
		headerCase{strings.Replace(plain, "2,", "2L,", 1), 2, ""},
		headerCase{strings.Replace(plain, "2,", "2L,", 1), 3, ""},
		headerCase{strings.Replace(plain, "'<f4'", "[('中é','<f4')]", 1), 3, ""},
		headerCase{strings.Replace(plain, "'<f4'", "[('\xff','<f4')]", 1), 3, ""},
		headerCase{strings.Replace(plain, "'<f4'", "[('\xe9','<f4')]", 1), 1, ""},
	)
	// where fusectl is stricter, on purpose
	replaced := func(differs, old, new string) { add(differs, strings.Replace(plain, old, new, 1)) }
	add("the last of two equal keys would win", plain[:len(plain)-1]+",'shape':(3,)}")
	replaced("names of characters would need a table of all Unicode names", "'descr'", `'\N{LATIN SMALL LETTER D}escr'`)
	replaced("NumPy has bfloat16 only where ml_dtypes has been imported", "'<f4'", "'bfloat16'")
	replaced("NumPy has bfloat16 only where ml_dtypes has been imported", "'<f4'", "[('a','<bfloat16')]")
	replaced("long double differs between machines", "'<f4'", "'<f16'")
	replaced("long double differs between machines", "'<f4'", "[('a','<c32')]")
	replaced("sub-arrays alone: NumPy takes the header and then fails to give the array its shape", "'<f4'", "('<f4',(2,))")
	replaced("sub-arrays alone", "'<f4'", "'2f4'")
	replaced("C's way to read numbers skips spaces and signs", "'<f4'", "'f+4'")
	replaced("C's way to read numbers skips spaces and signs", "'<f4'", "'f 4'")
	replaced("a title that is no string", "'<f4'", "[((3,'n'),'f4')]")
	replaced("fractions of units, which NumPy reduces and never writes", "'<f4'", "'M8[10us/1000]'")
	replaced("two letters as a field", "'<f4'", "['ab','cd']")
	add("white space at the start of the second line is an indent to Python", "\n "+plain)
	return cases
}
